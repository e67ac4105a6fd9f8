using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What the next iteration depends on besides weights and optimiser moments. Written to every checkpoint.</summary>
/// <param name="Iteration">Iterations done.</param>
/// <param name="KlCoefficient">β now.</param>
/// <param name="ScoreMoments">Running moments of the scores.</param>
public sealed record PolicyState(int Iteration, double KlCoefficient, Moments ScoreMoments)
{
    public static PolicyState Initial(MethodConfig config) => new(0, config.KlCoefficient, default);
}

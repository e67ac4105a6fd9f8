using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What the next iteration depends on besides weights and optimiser moments. Written to every checkpoint.</summary>
/// <param name="Iteration">Iterations done.</param>
/// <param name="KlCoefficient">β of the KL to the reference now.</param>
/// <param name="ScoreMoments">Running moments of the scores.</param>
/// <param name="PenaltyCoefficient">β of KL(π_old‖π) now.</param>
/// <param name="Baseline">The moving average of REINFORCE.</param>
/// <param name="LearningRateFactor">Lowered by every step back after a numerical failure; 1 in a run that had none.</param>
public sealed record PolicyState(
    int Iteration, double KlCoefficient, Moments ScoreMoments, double PenaltyCoefficient = 0, MovingAverageState Baseline = default, double LearningRateFactor = 1)
{
    public static PolicyState Initial(MethodConfig config) => new(0, config.KlCoefficient, default, config.PenaltyCoefficient);
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// PPO-penalty (Schulman et al. 2017, equation 8): A from a critic, ℓ = −ρ A + β KL(π_old‖π); after the iteration β doubles or halves
/// (<see cref="DoublingKlController"/>) by the KL that the update really made.
/// </summary>
public sealed class PpoPenaltyMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        CriticAdvantages.Fill(batch, Config);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new PpoPenalty(new FixedKlController(state.PenaltyCoefficient));
}

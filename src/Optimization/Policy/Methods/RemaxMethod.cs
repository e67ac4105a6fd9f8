using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// ReMax (Li et al. 2024): A_t = Σ_{k≥t} r_k − r(greedy response to the prompt); ℓ = −A log π.
/// Deviation 1: the greedy score is taken from the score before it is shaped (<see cref="RewardShaping"/>), so that clipping and scaling act on the difference.
/// </summary>
public sealed class RemaxMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        MonteCarlo.Compute(batch.Offsets, batch.ResponseMask, batch.Rewards, [], Config.Gamma, batch.Advantages, batch.Returns);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new Reinforce();
}

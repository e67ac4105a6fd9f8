using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// REINFORCE++ (Hu et al. 2025): returns over token rewards with the KL inside, whitened over the whole iteration; PPO's clipped loss, no critic. The variant
/// with baseline is reward_normalization: group_mean.
/// </summary>
public sealed class ReinforcePlusPlusMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        ReinforcePlusPlus.Advantages(batch.Offsets, batch.ResponseMask, batch.Rewards, Config.Gamma, batch.Advantages);
        MonteCarlo.Returns(batch.Offsets, batch.ResponseMask, batch.Rewards, Config.Gamma, batch.Returns);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => ClippedRatio();
}

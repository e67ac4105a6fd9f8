using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Group sequence policy optimisation (Zheng et al. 2025): GRPO's advantages; one ratio a sequence, the geometric mean of its tokens', clipped narrowly.
/// </summary>
public sealed class GspoMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        GroupAdvantages.Fill(batch, Config.Gamma, Grpo.Advantages);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new Gspo(Config.ClipRange, Config.ClipRangeHigh > 0 ? Config.ClipRangeHigh : Config.ClipRange);
}

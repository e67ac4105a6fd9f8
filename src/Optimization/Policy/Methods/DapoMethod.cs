using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// DAPO (Yu et al. 2025): GRPO's advantages, decoupled clip (ε_high &gt; ε_low), token-level loss, no KL; dynamic sampling and the soft overlong punishment
/// are options of the section that any group method may use.
/// </summary>
public sealed class DapoMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        GroupAdvantages.Fill(batch, Config.Gamma, Grpo.Advantages);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => ClippedRatio();
}

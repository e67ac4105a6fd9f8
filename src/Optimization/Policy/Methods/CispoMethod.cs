using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// CISPO (MiniMax 2025): GRPO's advantages; ℓ = −sg(clip(ρ)) A log π, so that a clipped token keeps its gradient.
/// </summary>
public sealed class CispoMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        GroupAdvantages.Fill(batch, Config.Gamma, Grpo.Advantages);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new Cispo(Config.ClipRange, Config.ClipRangeHigh > 0 ? Config.ClipRangeHigh : Config.ClipRange);
}

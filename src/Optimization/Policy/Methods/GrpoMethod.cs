using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Group-relative policy optimisation (Shao et al. 2024): A = (r − mean) / (std + ε) over the responses to the prompt; PPO's clipped loss, mean of
/// sequence means, k3 of KL(π‖reference) in the loss.
/// </summary>
public sealed class GrpoMethod(MethodConfig config) : PolicyMethod(config)
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

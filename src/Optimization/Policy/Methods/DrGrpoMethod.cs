using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Dr.GRPO (Liu et al. 2025): A = r − mean over the responses to the prompt, without the division by std; clipped loss summed over tokens and divided by a
/// constant length, so that neither easy prompts nor long wrong answers are favoured.
/// </summary>
public sealed class DrGrpoMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        GroupAdvantages.Fill(batch, Config.Gamma, Grpo.CentredAdvantages);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => ClippedRatio();
}

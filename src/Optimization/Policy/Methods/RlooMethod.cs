using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// REINFORCE leave-one-out (Ahmadian et al. 2024): A = r − mean reward of the other responses to the prompt, KL inside r; ℓ = −A log π.
/// </summary>
public sealed class RlooMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        GroupAdvantages.Fill(batch, Config.Gamma, Rloo.Advantages);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new Reinforce();
}

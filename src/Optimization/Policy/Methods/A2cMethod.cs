using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Advantage actor-critic (Mnih et al. 2016), synchronous: A from a critic by Monte-Carlo, TD(0), n steps or GAE; ℓ = −A log π, one epoch, entropy bonus.
/// </summary>
public sealed class A2cMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        CriticAdvantages.Fill(batch, Config);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new A2c();
}

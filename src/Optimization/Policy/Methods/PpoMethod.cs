using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Proximal policy optimisation (Schulman et al. 2017, equation 7): A from a critic (GAE), ℓ = −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A).
/// Options: asymmetric and dual clip, value clip, KL in reward or loss, entropy bonus, pretraining mix (PPO-ptx), ratio guard, critic warm-up.
/// </summary>
public sealed class PpoMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        CriticAdvantages.Fill(batch, Config);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => ClippedRatio();
}

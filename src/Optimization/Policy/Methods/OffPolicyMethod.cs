using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Off-policy policy gradient (Degris, White and Sutton 2012): A from a critic, ℓ = −sg(min(ρ, C)) A log π + β KL(π_old‖π), β adapted as PPO-penalty does.
/// </summary>
public sealed class OffPolicyMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        CriticAdvantages.Fill(batch, Config);
        return state;
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new OldPolicyPenalty(
        new OffPolicyGradient(Config.ImportanceCap > 0 ? Config.ImportanceCap : double.PositiveInfinity), state.PenaltyCoefficient);
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// An online method: how the rewards of an iteration become advantages, and the loss that the policy descends. Everything else (re-scoring, reward
/// shaping, minibatches, the critic, KL, entropy, corrections, checkpoints) is the trainer's and the same for all.
/// To add one: a name and its defaults (<see cref="MethodName"/>, <see cref="MethodDefaults"/>), a file under <c>Methods</c>, a line in
/// <see cref="PolicyMethods"/>, a configuration under <c>configs/methods</c>.
/// </summary>
public abstract class PolicyMethod(MethodConfig config)
{
    /// <summary>The section <c>method</c>.</summary>
    protected MethodConfig Config { get; } = config;

    /// <summary>Fills Advantages (and Returns, the critic's targets) from token Rewards, old values and Groups.</summary>
    /// <param name="batch">The whole iteration.</param>
    /// <param name="state">Before this iteration.</param>
    /// <returns>The state with what the method itself has learnt from the batch.</returns>
    public abstract PolicyState Advantages(TrajectoryBatch batch, PolicyState state);

    /// <summary>The policy loss of one iteration.</summary>
    public abstract IPolicyLoss Loss(PolicyState state);

    /// <summary>PPO's clipped surrogate with the configured ranges.</summary>
    protected PpoClip ClippedRatio() => new(Config.ClipRange, Config.ClipRangeHigh > 0 ? Config.ClipRangeHigh : null, Config.DualClip > 0 ? Config.DualClip : null);
}

/// <summary>From the configured name to the method.</summary>
public static class PolicyMethods
{
    public static PolicyMethod Create(MethodConfig config) => config.Name switch
    {
        MethodName.Ppo => new PpoMethod(config),
        MethodName.PpoPenalty => new PpoPenaltyMethod(config),
        MethodName.OffPolicy => new OffPolicyMethod(config),
        MethodName.Reinforce => new ReinforceMethod(config),
        MethodName.A2c => new A2cMethod(config),
        MethodName.Rloo => new RlooMethod(config),
        MethodName.Grpo => new GrpoMethod(config),
        MethodName.DrGrpo => new DrGrpoMethod(config),
        MethodName.Dapo => new DapoMethod(config),
        MethodName.ReinforcePlusPlus => new ReinforcePlusPlusMethod(config),
        MethodName.Gspo => new GspoMethod(config),
        MethodName.Cispo => new CispoMethod(config),
        MethodName.Remax => new RemaxMethod(config),
        _ => throw new ArgumentOutOfRangeException(nameof(config), config.Name, "unknown method"),
    };
}

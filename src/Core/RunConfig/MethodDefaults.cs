namespace Rlhf.Core;

/// <summary>What each method starts from: the choices of its paper. Numbers that hang on the task (learning rate, epochs of PPO) are the configuration's.</summary>
public static class MethodDefaults
{
    private static readonly MethodConfig NoCritic = new() { Critic = Critic.None, ValueClipRange = 0, ValueCoefficient = 0, WhitenAdvantages = false, Epochs = 1 };

    private static readonly MethodConfig Clipped = NoCritic with { KlPlace = KlPlace.Loss, KlEstimator = KlEstimate.K3, KlCoefficient = 0 };

    // The policy-gradient theorem's own weighting, no ratio and therefore no clip.
    private static readonly MethodConfig Likelihood = NoCritic with { ClipRange = 0, Aggregation = Aggregation.MeanOfSequenceSums };

    /// <summary>The defaults of a method.</summary>
    public static MethodConfig Of(MethodName name) => name switch
    {
        MethodName.Ppo => new MethodConfig(),
        MethodName.PpoPenalty => new MethodConfig { ClipRange = 0, PenaltyCoefficient = 1, PenaltyTarget = 0.01 },
        MethodName.OffPolicy => new MethodConfig { ClipRange = 0, PenaltyCoefficient = 1, PenaltyTarget = 0.01, ImportanceCap = 2 },
        MethodName.Reinforce => Likelihood with { Baseline = Baseline.MovingAverage },
        MethodName.A2c => new MethodConfig { Epochs = 1, ClipRange = 0, ValueClipRange = 0, EntropyCoefficient = 0.01 },
        MethodName.Rloo => Likelihood,
        MethodName.Grpo => Clipped with { KlCoefficient = 0.04, Aggregation = Aggregation.MeanOfSequenceMeans },
        MethodName.DrGrpo => Clipped with { Aggregation = Aggregation.ConstantLength },
        MethodName.Dapo => Clipped with { ClipRangeHigh = 0.28, DynamicSampling = true, OverlongBuffer = 16 },
        MethodName.ReinforcePlusPlus => NoCritic,
        MethodName.Gspo => Clipped with { ClipRange = 3e-4, ClipRangeHigh = 4e-4, Aggregation = Aggregation.MeanOfSequenceMeans },
        MethodName.Cispo => Clipped with { ClipRange = 1, ClipRangeHigh = 0.2 },
        MethodName.Remax => Likelihood with { Baseline = Baseline.Greedy },
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "unknown method"),
    } with { Name = name };

    /// <summary>True when a response's advantage comes from the other responses to the same prompt.</summary>
    public static bool IsGroupMethod(MethodName name) =>
        name is MethodName.Rloo or MethodName.Grpo or MethodName.DrGrpo or MethodName.Dapo or MethodName.Gspo or MethodName.Cispo;

    /// <summary>True when the loss has no ratio π/π_old, so that only fresh samples may be trained on.</summary>
    public static bool HasNoRatio(MethodName name) => name is MethodName.Reinforce or MethodName.A2c or MethodName.Rloo or MethodName.Remax;

    /// <summary>True when the loss clips the ratio.</summary>
    public static bool Clips(MethodName name) => name is MethodName.Ppo or MethodName.Grpo or MethodName.DrGrpo or MethodName.Dapo or MethodName.ReinforcePlusPlus
        or MethodName.Gspo or MethodName.Cispo;

    /// <summary>True when a learnt value is what the method is about.</summary>
    public static bool HasCritic(MethodName name) => name is MethodName.Ppo or MethodName.PpoPenalty or MethodName.OffPolicy or MethodName.A2c;
}

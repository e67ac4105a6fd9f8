namespace Rlhf.Core;

/// <summary>Where the value function lives.</summary>
public enum Critic { Shared, Separate }

/// <summary>How rewards are normalised before the advantage.</summary>
public enum RewardNormalization { None, Running, Batch }

/// <summary>Proximal policy optimisation (Schulman et al. 2017) as used for language (Ziegler et al. 2019, Ouyang et al. 2022).</summary>
public sealed record MethodConfig
{
    [Doc("Passes over each iteration's responses."), Range(1, 100)]
    public int Epochs { get; init; } = 4;

    [Doc("Responses of one optimiser step."), Range(1, 1e6)]
    public int MinibatchSize { get; init; } = 64;

    [Doc("Most tokens of one forward pass, padding included; does not change the loss."), Range(16, 1e8)]
    public int MicroBatchTokens { get; init; } = 4096;

    [Doc("ε: the ratio is clipped to [1 − ε, 1 + clip_range_high]."), Range(0, 10)]
    public double ClipRange { get; init; } = 0.2;

    [Doc("Upper clip; 0: the same as clip_range."), Range(0, 10)]
    public double ClipRangeHigh { get; init; }

    [Doc("c of dual clip for negative advantages; 0: off."), Range(0, 100)]
    public double DualClip { get; init; }

    [Doc("ε of the value clip; 0: off."), Range(0, 100)]
    public double ValueClipRange { get; init; } = 0.2;

    [Doc("Weight of the value loss."), Range(0, 100)]
    public double ValueCoefficient { get; init; } = 0.1;

    [Doc("Weight of the entropy bonus."), Range(0, 10)]
    public double EntropyCoefficient { get; init; }

    [Doc("γ: discount."), Range(0, 1)]
    public double Gamma { get; init; } = 1;

    [Doc("λ of GAE."), Range(0, 1)]
    public double Lambda { get; init; } = 0.95;

    [Doc("β: weight of KL(π‖reference) in the reward, per token."), Range(0, 100)]
    public double KlCoefficient { get; init; } = 0.05;

    [Doc("Target KL in nats per sequence of an adaptive β; 0: β is fixed."), Range(0, 1e6)]
    public double KlTarget { get; init; }

    [Doc("Horizon of the adaptive β in sequences."), Range(1, 1e12)]
    public double KlHorizon { get; init; } = 10_000;

    [Doc("Stop an iteration's epochs when approximate KL(π_old‖π) per token passes this; 0: never."), Range(0, 100)]
    public double TargetKl { get; init; }

    [Doc("Scale advantages to zero mean and unit variance over the iteration.")]
    public bool WhitenAdvantages { get; init; } = true;

    [Doc("Normalise scores: none, running (divide by the running standard deviation), batch (zero mean, unit variance).")]
    public RewardNormalization RewardNormalization { get; init; } = RewardNormalization.None;

    [Doc("Clip scores to ± this; 0: never."), Range(0, 1e9)]
    public double RewardClip { get; init; } = 10;

    [Doc("Taken from the score of a response that ended by length, not by EOS."), Range(0, 1e6)]
    public double MissingEosPenalty { get; init; }

    [Doc("shared: a value head on the policy's trunk; separate: a model of its own.")]
    public Critic Critic { get; init; } = Critic.Shared;

    [Doc("Most |ratio − 1| allowed on the first minibatch of the first epoch before the run stops."), Range(1e-9, 1)]
    public double FirstRatioTolerance { get; init; } = 1e-3;
}

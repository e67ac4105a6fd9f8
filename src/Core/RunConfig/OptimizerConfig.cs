namespace Rlhf.Core;

/// <summary>How weights are updated (section <c>optimizer</c>).</summary>
public sealed record OptimizerConfig
{
    [Doc("Peak learning rate η."), Range(0, 1)]
    public double LearningRate { get; init; } = 1e-4;

    [Doc("β₁: decay of the mean gradient."), Range(0, 0.9999999)]
    public double Beta1 { get; init; } = 0.9;

    [Doc("β₂: decay of the mean squared gradient."), Range(0, 0.9999999)]
    public double Beta2 { get; init; } = 0.95;

    [Doc("ε of Adam."), Range(1e-16, 1)]
    public double Epsilon { get; init; } = 1e-8;

    [Doc("Use TensorFlow's placement of ε, as the original RLHF code did.")]
    public bool TensorFlowEpsilon { get; init; }

    [Doc("Decoupled weight decay λ of matrices."), Range(0, 10)]
    public double WeightDecay { get; init; }

    [Doc("Largest gradient norm; 0 never clips."), Range(0, 1e9)]
    public double MaxGradientNorm { get; init; } = 1;

    [Doc("Learning rate over time: constant, linear or cosine (both fall to final_fraction of the peak).")]
    public LearningRateShape Schedule { get; init; } = LearningRateShape.Constant;

    [Doc("Steps over which the learning rate rises from 0."), Range(0, 1e9)]
    public int WarmupSteps { get; init; }

    [Doc("Share of the peak that a linear or cosine schedule ends with."), Range(0, 1)]
    public double FinalFraction { get; init; }
}

/// <summary>Shape of the learning rate after warm-up.</summary>
public enum LearningRateShape { Constant, Linear, Cosine }

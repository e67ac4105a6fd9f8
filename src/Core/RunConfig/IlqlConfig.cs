namespace Rlhf.Core;

/// <summary>What the Q targets take as the value of the next state.</summary>
public enum NextStateValue
{
    /// <summary>V: implicit Q-learning, no action outside the data is ever asked for.</summary>
    Value,

    /// <summary>The largest slow Q of all tokens (DQN).</summary>
    MaxQ,

    /// <summary>The slow Q of the token that the online Q likes best (double Q).</summary>
    DoubleQ,
}

/// <summary><c>rlhf-optimize ilql</c>: implicit language Q-learning on scored samples, without drawing new ones.</summary>
public sealed record IlqlConfig : TrainingConfig
{
    public IlqlConfig()
    {
        Epochs = 2;
        Output = "runs/ilql";
        Optimizer = new OptimizerConfig { LearningRate = 2e-4, Schedule = LearningRateShape.Cosine, WarmupSteps = 10 };
    }

    [Doc("Hugging Face folder of the policy to tune; its Q and V heads are gone on with where it has any."), Required, PathRelative]
    public string Model { get; init; } = "";

    [Doc("Scored files or globs."), PathRelative]
    public IReadOnlyList<string> Data { get; init; } = [];

    [Doc("Scale scores to zero mean and unit variance over the data, so that decoding_beta means the same for any reward.")]
    public bool NormalizeScores { get; init; } = true;

    [Doc("τ of the expectile: 0.5 is the mean of the data's actions, towards 1 the best of them."), Range(0, 1, MinimumIsOpen = true, MaximumIsOpen = true)]
    public double Tau { get; init; } = 0.7;

    [Doc("γ: discount a token."), Range(0, 1)]
    public double Gamma { get; init; } = 0.99;

    [Doc("α of the CQL term, which keeps Q of tokens outside the data down."), Range(0, 100)]
    public double CqlCoefficient { get; init; } = 0.1;

    [Doc("Weight of cloning the data beside the Q learning."), Range(0, 100)]
    public double CloningCoefficient { get; init; } = 1;

    [Doc("β of e^{β (Q − V)} in the cloning term (AWAC); 0 clones all alike."), Range(0, 100)]
    public double CloningBeta { get; init; }

    [Doc("value (ILQL), max_q (DQN) or double_q: the next state's value in the Q targets.")]
    public NextStateValue NextState { get; init; } = NextStateValue.Value;

    [Doc("Polyak rate of the slow Q heads, per step."), Range(0, 1, MinimumIsOpen = true)]
    public double PolyakRate { get; init; } = 0.005;

    [Doc("β of decoding: logits + β · min(Q₁, Q₂), in the ONNX folder and in evaluations."), Range(0, 1e4)]
    public double DecodingBeta { get; init; } = 4;

    [Doc("Most tokens of one forward pass, padding included; does not change the loss."), Range(16, 1e8)]
    public int MicroBatchTokens { get; init; } = 4096;

    [Doc("Also export an ONNX folder that decodes with the Q heads: onnx/ in the output.")]
    public bool Export { get; init; } = true;
}

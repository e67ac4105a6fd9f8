namespace Rlhf.Core;

/// <summary>Which samples of a prompt are trained on.</summary>
public enum SampleSelection { BestOfN, Quantile }

/// <summary><c>rlhf-optimize rft</c>: fine-tuning on the best of scored samples (best-of-N, rejection sampling).</summary>
public sealed record RftConfig : TrainingConfig, IValidated
{
    public RftConfig()
    {
        Epochs = 2;
        Output = "runs/rft";
        Optimizer = new OptimizerConfig { LearningRate = 1e-4, Schedule = LearningRateShape.Cosine, WarmupSteps = 10 };
    }

    [Doc("Hugging Face folder of the policy to tune."), Required, PathRelative]
    public string Model { get; init; } = "";

    [Doc("Scored files or globs, several samples a prompt."), PathRelative]
    public IReadOnlyList<string> Data { get; init; } = [];

    [Doc("best_of_n: the best sample of each prompt; quantile: those at or above a quantile of their prompt's scores.")]
    public SampleSelection Selection { get; init; } = SampleSelection.BestOfN;

    [Doc("quantile: 0 keeps all, 1 only the best of each prompt (trlX: 0.7 rising to 0.95)."), Range(0, 1)]
    public double Quantile { get; init; } = 0.9;

    [Doc("Samples that score less than this are left out, whatever their prompt's others score.")]
    public double MinScore { get; init; } = -1e300;

    [Doc("Train on equal responses to equal prompts once.")]
    public bool Unique { get; init; } = true;

    [Doc("Responses of one forward pass; it does not change the loss."), Range(1, 1e6)]
    public int MicroBatchSize { get; init; } = 32;

    [Doc("Also export an ONNX folder: onnx/ in the output.")]
    public bool Export { get; init; } = true;

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        if (Selection == SampleSelection.BestOfN && Quantile != new RftConfig().Quantile)
            yield return new ConfigProblem(nameof(Quantile), "is for selection: quantile; the selection is best_of_n. Leave it out or choose the selection.");
    }
}

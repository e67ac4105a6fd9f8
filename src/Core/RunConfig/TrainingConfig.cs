namespace Rlhf.Core;

/// <summary>What every training on a fixed data set has: SFT, reward models, preferences, RFT, ILQL.</summary>
public abstract record TrainingConfig
{
    [Doc("Seed of everything random: new weights, order, augmentation, hold-out.")]
    public ulong Seed { get; init; } = 1;

    [Doc("Share of the data held out for evaluation: rows, or prompts with all their samples."), Range(0, 0.9)]
    public double HeldOutFraction { get; init; } = 0.1;

    [Doc("Examples (sequences, texts, comparisons, responses) of one optimiser step."), Range(1, 1e6)]
    public int BatchSize { get; init; } = 32;

    [Doc("Passes over the data."), Range(0, 1e6)]
    public double Epochs { get; init; } = 1;

    [Doc("Stop after this many steps; 0: as epochs says."), Range(0, 1e9)]
    public int MaxSteps { get; init; }

    [Doc("Steps between evaluations; the model is saved with each (of a reward model, the best one)."), Range(1, 1e9)]
    public int EvaluateEvery { get; init; } = 100;

    [Doc("Minutes between checkpoints from which a killed training goes on; 0: only where it is interrupted."), Range(0, 1e6), SafeToChange]
    public double CheckpointMinutes { get; init; } = 10;

    [Doc("Where the model, metrics and checkpoints go."), PathRelative]
    public string Output { get; init; } = "runs/training";

    public OptimizerConfig Optimizer { get; init; } = new();

    [Doc("Threads of libtorch; 0: all cores."), Range(0, 1024)]
    public int Threads { get; init; }

    [Doc("cpu, cuda or cuda:N.")]
    public string Device { get; init; } = "cpu";
}

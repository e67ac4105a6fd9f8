namespace Rlhf.Core;

/// <summary><c>rlhf-optimize sft</c>: maximum likelihood on text, or on completions given prompts.</summary>
public sealed record SftConfig : TrainingConfig
{
    public SftConfig()
    {
        HeldOutFraction = 0.02;
        EvaluateEvery = 250;
        Output = "runs/sft";
        Optimizer = new OptimizerConfig { LearningRate = 1e-3, Schedule = LearningRateShape.Cosine, WarmupSteps = 100, FinalFraction = 0.1, WeightDecay = 0.1 };
    }

    [Doc("Hugging Face folder to start from; empty: a new model of the section `architecture`."), PathRelative]
    public string Model { get; init; } = "";

    [Doc("Folder with tokenizer.json; empty: the model's."), PathRelative]
    public string Tokenizer { get; init; } = "";

    [Doc("Shape of a new model.")]
    public ArchitectureConfig Architecture { get; init; } = new();

    [Doc("Files or globs of training data: Parquet, JSONL, CSV."), PathRelative]
    public IReadOnlyList<string> Data { get; init; } = [];

    [Doc("Column of whole texts; every token is trained on.")]
    public string TextColumn { get; init; } = "text";

    [Doc("Column of prompts; with completion_column only the completion is trained on. Empty: text_column is used.")]
    public string PromptColumn { get; init; } = "";

    [Doc("Column of completions.")]
    public string CompletionColumn { get; init; } = "";

    [Doc("Text replaced in the data before tokenisation, as from → to.")]
    public IReadOnlyDictionary<string, string> Replace { get; init; } = new Dictionary<string, string>();

    [Doc("Most held-out tokens used for one evaluation."), Range(1, 1e9)]
    public int HeldOutTokens { get; init; } = 200_000;

    [Doc("Tokens of one training sequence."), Range(2, 1e6)]
    public int SequenceLength { get; init; } = 256;

    [Doc("Sequences of one forward pass; it must divide batch_size and does not change the loss."), Range(1, 1e6)]
    public int MicroBatchSize { get; init; } = 8;

    [Doc("Stop after this many minutes with the schedule run to its end; 0: never."), Range(0, 1e6)]
    public double MaxMinutes { get; init; }

    [Doc("Also export an ONNX folder: onnx/ in the output.")]
    public bool Export { get; init; }
}

/// <summary>Shape of a new Llama model.</summary>
public sealed record ArchitectureConfig
{
    [Doc("Width of the residual stream."), Range(8, 65536)]
    public int HiddenSize { get; init; } = 256;

    [Doc("Width of the gated feed-forward layer."), Range(8, 262144)]
    public int IntermediateSize { get; init; } = 688;

    [Doc("Number of layers."), Range(1, 1000)]
    public int Layers { get; init; } = 4;

    [Doc("Query heads."), Range(1, 1024)]
    public int Heads { get; init; } = 8;

    [Doc("Key/value heads; divides heads."), Range(1, 1024)]
    public int KeyValueHeads { get; init; } = 4;

    [Doc("Longest sequence in tokens."), Range(8, 1e7)]
    public int MaxPositions { get; init; } = 512;

    [Doc("Base of the rotary angles."), Range(1, 1e9)]
    public double RopeTheta { get; init; } = 10000;

    [Doc("Use the embedding as output matrix.")]
    public bool TieWordEmbeddings { get; init; } = true;
}

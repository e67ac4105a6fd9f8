namespace Rlhf.Pipeline.Bench;

/// <summary>What was measured. Rates are in real tokens, padding not counted.</summary>
public sealed record ScoringBenchResult
{
    public required string Processor { get; init; }

    public required int Threads { get; init; }

    public required int BatchTokens { get; init; }

    /// <summary>False: the texts were made up at the lengths of IMDb reviews.</summary>
    public required bool RealTexts { get; init; }

    public required int Rows { get; init; }

    /// <summary>Real tokens of all rows, cut at the model's positions.</summary>
    public required long Tokens { get; init; }

    public required double MeanLength { get; init; }

    /// <summary>Rows in each sixteenth of the model's positions.</summary>
    public required IReadOnlyList<int> LengthHistogram { get; init; }

    /// <summary>The whole of <c>rlhf-score</c>: reading, tokenising, inference, the output file.</summary>
    public required double TokensPerSecond { get; init; }

    public required double RowsPerSecond { get; init; }

    /// <summary>Computed tokens that only filled rows up to the longest of their batch, as a share.</summary>
    public required double PaddingShare { get; init; }

    /// <summary>Inference alone on texts that all have the mean length, each read as scoring would read it (alone and in parts where it is long).</summary>
    public required double EqualLengthTokensPerSecond { get; init; }

    /// <summary>Inference alone on the same texts in full batches side by side, as many rows as the batch's tokens hold.</summary>
    public required double FullBatchTokensPerSecond { get; init; }

    /// <summary>Inference alone on batches of 32 in file order, padded to the longest.</summary>
    public required double FixedBatchTokensPerSecond { get; init; }

    /// <summary>The same on model.onnx as ONNX Runtime opens it by itself: default options but for the number of threads, and nothing of what the graph for scoring does better.</summary>
    public required double PlainFixedBatchTokensPerSecond { get; init; }

    /// <summary>Scoring's rate as a share of the faster of those two.</summary>
    public required double ShareOfEqualLength { get; init; }

    /// <summary>Against fixed batches of the same graph: what batching and reading in parts gain.</summary>
    public required double RatioToFixedBatches { get; init; }

    /// <summary>Against fixed batches of the plain graph: all that is gained.</summary>
    public required double RatioToPlainFixedBatches { get; init; }

    /// <summary>Resident memory before the first row was scored (the runtime, the model).</summary>
    public required double MegabytesBefore { get; init; }

    /// <summary>Highest resident memory while <c>rlhf-score</c>'s path ran over the first part, before the other ways of scoring had held any.</summary>
    public required double PeakMegabytes { get; init; }

    /// <summary>The most by which resident memory grew while that path ran over a part.</summary>
    public required double GrowthMegabytes { get; init; }

    public ReferenceBenchResult? Reference { get; init; }

    public SharedBenchResult? Shared { get; init; }

    public StreamBenchResult? Stream { get; init; }
}

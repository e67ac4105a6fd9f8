namespace Rlhf.Pipeline.Bench;

/// <summary>What <c>rlhf bench scoring</c> measures with.</summary>
public sealed record ScoringBenchOptions
{
    /// <summary>Reward model: a Hugging Face folder, exported first, or an ONNX folder.</summary>
    public string Model { get; init; } = "models/reward-imdb";

    /// <summary>Policy for reference log-probs, likewise; empty: that part is left out.</summary>
    public string Reference { get; init; } = "models/policy-imdb";

    /// <summary>Files with texts; where the first is missing, texts of the same lengths are made up.</summary>
    public IReadOnlyList<string> Data { get; init; } = ["../shared/data/imdb/train.jsonl.gz", "../shared/data/imdb/unlabelled.jsonl.gz"];

    public string Column { get; init; } = "text";

    /// <summary>Texts that are scored.</summary>
    public int Rows { get; init; } = 8192;

    /// <summary>Parts of the rows between which the three ways of scoring take turns, so that a busy moment of the machine meets them all.</summary>
    public int Slices { get; init; } = 4;

    /// <summary>Texts for reference log-probs.</summary>
    public int ReferenceRows { get; init; } = 2048;

    /// <summary>Short rows streamed from file to file; 0: none.</summary>
    public long StreamRows { get; init; }

    /// <summary>True: the short rows are scored by the reward model, not by rules.</summary>
    public bool StreamWithModel { get; init; }

    /// <summary>Prompts of which each has several responses, for what computing them once gains; 0: that part is left out.</summary>
    public int SharedPrompts { get; init; } = 64;

    /// <summary>Responses to each of them.</summary>
    public int SharedResponses { get; init; } = 8;

    /// <summary>Tokens of such a prompt.</summary>
    public int SharedPromptTokens { get; init; } = 256;

    /// <summary>Tokens of such a response.</summary>
    public int SharedResponseTokens { get; init; } = 64;

    /// <summary>Most tokens of a batch.</summary>
    public int BatchTokens { get; init; } = new Scoring.ScoringJob { Input = "", Output = "" }.BatchTokens;

    /// <summary>Longest text in tokens; longer ones are cut.</summary>
    public int MaxLength { get; init; } = 512;

    /// <summary>0: all cores.</summary>
    public int Threads { get; init; }
}

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

/// <summary>Reference log-probs without a [tokens, vocabulary] array.</summary>
/// <param name="Rows">Texts.</param>
/// <param name="Tokens">Tokens read.</param>
/// <param name="TokensPerSecond">Rate.</param>
/// <param name="MegabytesBefore">Resident memory before.</param>
/// <param name="PeakMegabytes">Highest resident memory.</param>
/// <param name="NaiveBatchMegabytes">What log-probs [tokens, vocabulary] in float32 of the batches computed at one time would add.</param>
/// <param name="NaiveAllMegabytes">The same for all rows at once.</param>
public sealed record ReferenceBenchResult(int Rows, long Tokens, double TokensPerSecond, double MegabytesBefore, double PeakMegabytes, double NaiveBatchMegabytes, double NaiveAllMegabytes);

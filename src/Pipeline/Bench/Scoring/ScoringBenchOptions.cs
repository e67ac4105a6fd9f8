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

namespace Rlhf.Core;

/// <summary>Why a response ended.</summary>
public enum FinishReason { Eos, Stop, Length }

/// <summary>
/// One sampled response: the row that Generation writes. The token ids are the truth, the texts are for people.
/// A response holds its EOS (or last stop token) when it drew one; nothing after it.
/// </summary>
public sealed record Rollout
{
    public required int Iteration { get; init; }
    public required string PromptId { get; init; }
    public required int SampleId { get; init; }
    public required string Prompt { get; init; }
    public required string Response { get; init; }

    /// <summary>[promptLength] ids as given to the model, BOS included where the model has one.</summary>
    public required int[] PromptTokens { get; init; }

    /// <summary>[responseLength] ids as sampled; never re-tokenised.</summary>
    public required int[] ResponseTokens { get; init; }

    public required FinishReason FinishReason { get; init; }

    /// <summary>[responseLength] nats, under the distribution the token was drawn from (after temperature and filters).</summary>
    public required float[] RolloutLogprobs { get; init; }

    /// <summary>[responseLength] nats, under the unfiltered policy at the same temperature.</summary>
    public required float[] PolicyLogprobs { get; init; }

    /// <summary>SHA-256 (hex) of the weights that drew the row.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>"ort" or "genai".</summary>
    public required string Engine { get; init; }

    public required long Seed { get; init; }
    public required double Temperature { get; init; }
    public required int TopK { get; init; }
    public required double TopP { get; init; }

    /// <summary>JSON carried through from the prompt file, or null.</summary>
    public string? Metadata { get; init; }
}

/// <summary>One prompt to be answered. Token ids win over text when both are there.</summary>
public sealed record Prompt
{
    public required string Id { get; init; }
    public required string Text { get; init; }
    public int[]? Tokens { get; init; }
    public string? Metadata { get; init; }
}

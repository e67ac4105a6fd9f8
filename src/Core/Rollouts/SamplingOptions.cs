namespace Rlhf.Core;

/// <summary>How responses are drawn. The defaults are the policy's own distribution: what policy gradients need.</summary>
public sealed record SamplingOptions
{
    public int SamplesPerPrompt { get; init; } = 1;
    public int MaxNewTokens { get; init; } = 64;
    public int MinNewTokens { get; init; }

    /// <summary>&gt; 0; logits are divided by it before the softmax.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Keep the k most likely tokens (ties of the k-th stay); 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the most likely tokens whose mass together does not exceed p, at least one, with the ties of the last; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Keep tokens with probability ≥ MinP × the largest; 0 keeps all.</summary>
    public double MinP { get; init; }

    public double RepetitionPenalty { get; init; } = 1;
    public bool Greedy { get; init; }
    public IReadOnlyList<string> StopStrings { get; init; } = [];
    public IReadOnlyList<int> ForbiddenTokens { get; init; } = [];
    public ulong Seed { get; init; }
    public int Iteration { get; init; }

    /// <summary>Rows decoded at once.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>
    /// Responses of one part of a large job, rounded down to whole prompts: parts are drawn one after the other, and a stopped job goes on after its last finished one.
    /// The slots empty at a part's end, which costs about BatchSize / (2 × PartResponses) of the time.
    /// </summary>
    public int PartResponses { get; init; } = 4096;
}

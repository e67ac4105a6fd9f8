namespace Rlhf.Generation;

/// <summary>What a generation did.</summary>
public sealed class GenerationCounts
{
    /// <summary>Responses finished.</summary>
    public long Responses { get; internal set; }

    /// <summary>Tokens drawn.</summary>
    public long Tokens { get; internal set; }

    /// <summary>Decoding steps, and rows summed over them.</summary>
    public long Steps { get; internal set; }

    public long RowSteps { get; internal set; }

    /// <summary>Prompt tokens computed, padding included.</summary>
    public long PrefillTokens { get; internal set; }

    /// <summary>Prompts computed (fewer than responses where samples share).</summary>
    public long Prefills { get; internal set; }

    /// <summary>Seconds in prefill (copies to the samples' slots included), decoding steps and sampling.</summary>
    public double PrefillSeconds { get; internal set; }

    public double StepSeconds { get; internal set; }

    public double SamplingSeconds { get; internal set; }
}

using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Generation;

/// <summary>One run of the stage: which prompts, drawn how, written where.</summary>
public sealed record GenerationJob
{
    /// <summary>Exported policy folder.</summary>
    public required string Policy { get; init; }

    /// <summary>Prompt file (Parquet, JSONL, CSV, text).</summary>
    public required string Prompts { get; init; }

    /// <summary>Column that holds the prompt.</summary>
    public string PromptColumn { get; init; } = "prompt";

    /// <summary>Rollout file; appears when whole.</summary>
    public required string Output { get; init; }

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Beam search instead of drawing, with the engine "ort"; null: draw.</summary>
    public Beams.BeamSearchOptions? Beams { get; init; }

    /// <summary>"cpu" or "cuda".</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>"ort" or "genai".</summary>
    public string Engine { get; init; } = "ort";

    /// <summary>Threads of the engine; 0: all cores.</summary>
    public int Threads { get; init; }

    /// <summary>Only every n-th prompt (<see cref="Trajectories.Shard.Takes"/>); null: all. The responses are those of one job over all prompts.</summary>
    public Shard? Shard { get; init; }

    /// <summary>Before any work and any model: what no engine can do.</summary>
    /// <exception cref="ConfigurationException">The output is a prompt file too, or the engine has no beam search.</exception>
    /// <exception cref="BadDataException">There is no prompt file.</exception>
    public void Check()
    {
        if (Beams is not null && Engine != "ort") throw new ConfigurationException("--beams needs the engine ort.");
        DataFiles.RefuseInput(Output, Prompts);
    }
}

/// <summary>What a run of the stage did.</summary>
/// <param name="Prompts">Prompts answered.</param>
/// <param name="Responses">Rows written.</param>
/// <param name="Tokens">Tokens drawn.</param>
/// <param name="Seconds">From the first prompt to the finished file.</param>
/// <param name="EosShare">Share of responses that ended with an EOS token.</param>
/// <param name="LengthShare">Share that was cut at the most new tokens or at the end of the context.</param>
/// <param name="PolicyHash">SHA-256 of the weights.</param>
public sealed record GenerationSummary(long Prompts, long Responses, long Tokens, double Seconds, double EosShare, double LengthShare, string PolicyHash)
{
    /// <summary>Of <see cref="Tokens"/>, those of parts that an earlier, stopped run had finished.</summary>
    public long KeptTokens { get; init; }

    /// <summary>Of the tokens that were drawn in these seconds.</summary>
    public double TokensPerSecond => Seconds > 0 ? (Tokens - KeptTokens) / Seconds : 0;

    public double MeanLength => Responses > 0 ? (double)Tokens / Responses : 0;
}

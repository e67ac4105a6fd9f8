using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary>From the configuration to the stages' own options; the loop and anyone who repeats it by hand use the same.</summary>
public static class StageOptions
{
    public static SamplingOptions Sampling(RunConfig config, int iteration) => new()
    {
        SamplesPerPrompt = config.Generation.SamplesPerPrompt,
        MaxNewTokens = config.Generation.MaxNewTokens,
        MinNewTokens = config.Generation.MinNewTokens,
        Temperature = config.Generation.Temperature,
        TopK = config.Generation.TopK,
        TopP = config.Generation.TopP,
        MinP = config.Generation.MinP,
        RepetitionPenalty = config.Generation.RepetitionPenalty,
        Greedy = config.Generation.Greedy,
        ForbiddenTokens = config.Generation.ForbiddenTokens,
        StopStrings = config.Generation.StopStrings,
        BatchSize = config.Generation.BatchSize,
        PartResponses = config.Generation.PartResponses,
        Seed = config.Seed,
        Iteration = iteration,
    };

    public static ScoringJob Scoring(RunConfig config, string input, string output) => new()
    {
        Input = input, Output = output, BatchTokens = config.Scoring.BatchTokens, Temperature = config.Generation.Temperature,
    };
}

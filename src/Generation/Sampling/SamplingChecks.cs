using Rlhf.Core;

namespace Rlhf.Generation.Sampling;

/// <summary>Checks sampling options against their ranges, which are those of a run's configuration, and the model's vocabulary; finds all problems at once and changes nothing.</summary>
public static class SamplingChecks
{
    private static readonly (string Name, RangeAttribute Range, Func<SamplingOptions, double> Value, string Hint)[] Ranges =
    [
        ("samples_per_prompt", Of(nameof(GenerationConfig.SamplesPerPrompt)), o => o.SamplesPerPrompt, ""),
        ("max_new_tokens", Of(nameof(GenerationConfig.MaxNewTokens)), o => o.MaxNewTokens, ""),
        ("temperature", Of(nameof(GenerationConfig.Temperature)), o => o.Temperature, " (use greedy for the most likely token)"),
        ("top_k", Of(nameof(GenerationConfig.TopK)), o => o.TopK, " (0 keeps all tokens)"),
        ("top_p", Of(nameof(GenerationConfig.TopP)), o => o.TopP, " (1 keeps all tokens)"),
        ("min_p", Of(nameof(GenerationConfig.MinP)), o => o.MinP, " (0 keeps all tokens)"),
        ("repetition_penalty", Of(nameof(GenerationConfig.RepetitionPenalty)), o => o.RepetitionPenalty, " (1 changes nothing)"),
        ("batch_size", Of(nameof(GenerationConfig.BatchSize)), o => o.BatchSize, ""),
        ("part_responses", Of(nameof(GenerationConfig.PartResponses)), o => o.PartResponses, ""),
    ];

    /// <exception cref="ConfigurationException">One or more values are out of range.</exception>
    public static void Check(SamplingOptions options, int? vocabularySize = null)
    {
        List<string> problems = [];
        void Require(bool holds, string name, object value, string expected)
        {
            if (!holds) problems.Add($"{name} is {FormattableString.Invariant($"{value}")}; it must be {expected}.");
        }

        Require(options.MinNewTokens >= 0 && options.MinNewTokens <= options.MaxNewTokens, "min_new_tokens", options.MinNewTokens, $"from 0 to max_new_tokens ({options.MaxNewTokens})");
        foreach ((string name, RangeAttribute range, Func<SamplingOptions, double> value, string hint) in Ranges) Require(range.Contains(value(options)), name, value(options), $"{range}{hint}");
        foreach (string stop in options.StopStrings) Require(stop.Length > 0, "stop", "an empty text", "a text of at least one character");
        if (vocabularySize is int size)
        {
            foreach (int token in options.ForbiddenTokens)
            {
                Require(token >= 0 && token < size, "forbidden_tokens", token, $"a token id below the vocabulary's {size}");
            }
        }

        if (problems.Count > 0) throw new ConfigurationException(problems);
    }

    private static RangeAttribute Of(string property) => RangeAttribute.Of<GenerationConfig>(property);
}

using Rlhf.Core;

namespace Rlhf.Generation.Sampling;

/// <summary>Checks sampling options against their ranges and the model's vocabulary; finds all problems at once and changes nothing.</summary>
public static class SamplingChecks
{
    /// <exception cref="ConfigurationException">One or more values are out of range.</exception>
    public static void Check(SamplingOptions options, int? vocabularySize = null)
    {
        List<string> problems = [];
        void Require(bool holds, string name, object value, string expected)
        {
            if (!holds) problems.Add($"{name} is {FormattableString.Invariant($"{value}")}; it must be {expected}.");
        }

        Require(options.SamplesPerPrompt >= 1, "samples_per_prompt", options.SamplesPerPrompt, "1 or more");
        Require(options.MaxNewTokens >= 1, "max_new_tokens", options.MaxNewTokens, "1 or more");
        Require(options.MinNewTokens >= 0 && options.MinNewTokens <= options.MaxNewTokens, "min_new_tokens", options.MinNewTokens, $"from 0 to max_new_tokens ({options.MaxNewTokens})");
        Require(options.Temperature > 0 && double.IsFinite(options.Temperature), "temperature", options.Temperature, "a number above 0 (use greedy for the most likely token)");
        Require(options.TopK >= 0, "top_k", options.TopK, "0 (all tokens) or more");
        Require(options.TopP is >= 0 and <= 1, "top_p", options.TopP, "from 0 to 1 (1 keeps all tokens)");
        Require(options.MinP is >= 0 and <= 1, "min_p", options.MinP, "from 0 to 1 (0 keeps all tokens)");
        Require(options.RepetitionPenalty > 0 && double.IsFinite(options.RepetitionPenalty), "repetition_penalty", options.RepetitionPenalty, "a number above 0 (1 changes nothing)");
        Require(options.BatchSize >= 1, "batch_size", options.BatchSize, "1 or more");
        Require(options.PartResponses >= 1, "part_responses", options.PartResponses, "1 or more");
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
}

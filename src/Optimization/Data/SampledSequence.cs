using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary>A sampled response as the trainers read it: its own tokens, checked against the model.</summary>
public static class SampledSequence
{
    /// <exception cref="BadDataException">No tokens, or tokens that do not fit the model.</exception>
    public static TrainingSequence Of(Rollout row, LlamaConfig model)
    {
        if (row.PromptTokens.Length == 0 || row.ResponseTokens.Length == 0)
        {
            throw new BadDataException($"prompt '{row.PromptId}', sample {row.SampleId}: prompt and response need at least one token each; found {row.PromptTokens.Length} and {row.ResponseTokens.Length}.");
        }

        int[] tokens = [.. row.PromptTokens, .. row.ResponseTokens];
        if (tokens.Length > model.MaxPositionEmbeddings + 1 || tokens.Min() < 0 || tokens.Max() >= model.VocabSize)
        {
            throw new BadDataException(
                $"prompt '{row.PromptId}', sample {row.SampleId}: {tokens.Length} tokens between {tokens.Min()} and {tokens.Max()} do not fit a model of "
                + $"{model.MaxPositionEmbeddings} positions and {model.VocabSize} tokens. Was the row drawn by another model?");
        }

        return new TrainingSequence(tokens, row.PromptTokens.Length);
    }
}

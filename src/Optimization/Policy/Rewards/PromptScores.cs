using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Scores of other responses to an iteration's prompts, by prompt: what ReMax and the baseline reward subtract.</summary>
/// <param name="Greedy">prompt_id → score of the policy's greedy response; null: not drawn.</param>
/// <param name="Reference">prompt_id → score of the reference policy's greedy response; null: not drawn.</param>
public sealed record PromptScores(IReadOnlyDictionary<string, double>? Greedy, IReadOnlyDictionary<string, double>? Reference)
{
    public static PromptScores None { get; } = new(null, null);

    /// <summary>The mean score of each prompt of a scored file; NaN where none of its responses has one.</summary>
    public static IReadOnlyDictionary<string, double> Read(string scoredFile) => Of(ScoredFile.Read(scoredFile));

    /// <inheritdoc cref="Read"/>
    public static IReadOnlyDictionary<string, double> Of(IEnumerable<ScoredRollout> rows) => rows
        .GroupBy(r => r.Rollout.PromptId, StringComparer.Ordinal)
        .ToDictionary(g => g.Key, g => g.Where(r => r.Scores.Score is not null).Select(r => r.Scores.Score!.Value).DefaultIfEmpty(double.NaN).Average(), StringComparer.Ordinal);

    /// <summary>Gives every response of the batch the scores of its prompt. Where the prompt has none to subtract, its responses stay in the batch for audit and are not trained on, as if they had none themselves.</summary>
    /// <exception cref="BadDataException">A prompt is missing, or no response is left to train on.</exception>
    public void Fill(TrajectoryBatch batch, IReadOnlyList<ScoredRollout> rows)
    {
        if (Greedy is not null) batch.GreedyScores = Column(Greedy, batch, rows, "greedy");
        if (Reference is not null) batch.ReferenceScores = Column(Reference, batch, rows, "reference");
    }

    private static double[] Column(IReadOnlyDictionary<string, double> scores, TrajectoryBatch batch, IReadOnlyList<ScoredRollout> rows, string what)
    {
        var column = new double[rows.Count];
        for (int i = 0; i < column.Length; i++)
        {
            string prompt = rows[i].Rollout.PromptId;
            if (!scores.TryGetValue(prompt, out double score)) throw new BadDataException($"prompt '{prompt}' has no {what} response.");
            if (!double.IsNaN(score))
            {
                column[i] = score;
                continue;
            }

            batch.Scored[i] = false;
            batch.ResponseMask.AsSpan(batch.Response(i)).Clear();
        }

        return batch.Scored.Contains(true) ? column : throw new BadDataException($"None of the {rows.Count} responses has a score and a prompt with a scored {what} response: there is nothing to train on. Look why the rewards did not apply.");
    }
}

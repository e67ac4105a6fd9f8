using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Scores of other responses to an iteration's prompts, by prompt: what ReMax and the baseline reward subtract.</summary>
/// <param name="Greedy">prompt_id → score of the policy's greedy response; null: not drawn.</param>
/// <param name="Reference">prompt_id → score of the reference policy's greedy response; null: not drawn.</param>
public sealed record PromptScores(IReadOnlyDictionary<string, double>? Greedy, IReadOnlyDictionary<string, double>? Reference)
{
    public static PromptScores None { get; } = new(null, null);

    /// <summary>The mean score of each prompt of a scored file.</summary>
    /// <exception cref="BadDataException">A row has no score.</exception>
    public static IReadOnlyDictionary<string, double> Read(string scoredFile) => Of(ScoredFile.Read(scoredFile), scoredFile);

    /// <inheritdoc cref="Read"/>
    public static IReadOnlyDictionary<string, double> Of(IEnumerable<ScoredRollout> rows, string name) => rows
        .GroupBy(r => r.Rollout.PromptId, StringComparer.Ordinal)
        .ToDictionary(g => g.Key, g => g.Average(r => r.Scores.Score ?? throw new BadDataException($"{name}: prompt '{g.Key}' has a response without a score.")), StringComparer.Ordinal);

    /// <summary>Gives every response of the batch the scores of its prompt.</summary>
    /// <exception cref="BadDataException">A prompt is missing.</exception>
    public void Fill(TrajectoryBatch batch, IReadOnlyList<ScoredRollout> rows)
    {
        if (Greedy is not null) batch.GreedyScores = Column(Greedy, rows, "greedy");
        if (Reference is not null) batch.ReferenceScores = Column(Reference, rows, "reference");
    }

    private static double[] Column(IReadOnlyDictionary<string, double> scores, IReadOnlyList<ScoredRollout> rows, string what) =>
    [
        .. rows.Select(r => scores.TryGetValue(r.Rollout.PromptId, out double score)
            ? score
            : throw new BadDataException($"prompt '{r.Rollout.PromptId}' has no scored {what} response.")),
    ];
}

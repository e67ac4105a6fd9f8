using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>What Scoring adds to a row.</summary>
public sealed record RowScores
{
    /// <summary>Name of the reward model or rule → its reward. A reward that gave none is left out.</summary>
    public IReadOnlyDictionary<string, double> Rewards { get; init; } = new Dictionary<string, double>();

    /// <summary>[responseLength] rewards per token, where a reward is dense.</summary>
    public float[]? TokenRewards { get; init; }

    /// <summary>The weighted sum; null excludes the row from training.</summary>
    public double? Score { get; init; }

    /// <summary>[responseLength] nats, under the reference policy at the sampling temperature.</summary>
    public float[]? ReferenceLogprobs { get; init; }
}

/// <summary>A rollout with its scores: a row of scored.parquet.</summary>
public sealed record ScoredRollout(Rollout Rollout, RowScores Scores);

/// <summary>The columns of <see cref="RowScores"/>.</summary>
internal static class ScoreSchema
{
    public const string Rewards = "rewards", TokenRewards = "token_rewards", Score = "score", Reference = "reference_logprobs";

    /// <summary>To be read: a file has those that its scoring run computed.</summary>
    public static readonly IReadOnlyList<DataColumn> Columns = [.. new ScoreColumns().Columns.Select(c => c with { Optional = true })];

    /// <summary>Sets a row's columns as <paramref name="columns"/> has them.</summary>
    public static void Write(DataWriter writer, int first, RowScores scores, ScoreColumns columns)
    {
        int c = first;
        if (columns.Rewards) writer.Set(c++, scores.Rewards);
        if (columns.TokenRewards) Set(writer, c++, scores.TokenRewards);
        if (columns.Rewards)
        {
            if (scores.Score is { } score) writer.Set(c, score);
            c++;
        }

        if (columns.Reference) Set(writer, c, scores.ReferenceLogprobs);
    }

    private static void Set(DataWriter writer, int column, float[]? values)
    {
        if (values is not null) writer.Set(column, values.AsSpan());
    }

    public static RowScores Read(RowBatch batch, int row, int[] at) => new()
    {
        Rewards = (at[0] < 0 ? null : batch.GetDoubleMap(at[0], row)) ?? new Dictionary<string, double>(),
        TokenRewards = at[1] < 0 ? null : batch.GetFloatList(at[1], row),
        Score = at[2] < 0 ? null : batch.GetNullableDouble(at[2], row),
        ReferenceLogprobs = at[3] < 0 ? null : batch.GetFloatList(at[3], row),
    };

    /// <param name="where">File and row.</param>
    /// <param name="scores">What is checked.</param>
    /// <param name="tokens">Length of the response; null where rows have none (scoring of plain texts).</param>
    public static void Check(string where, RowScores scores, int? tokens)
    {
        foreach ((string name, double value) in scores.Rewards) RowCheck.Finite(where, $"reward '{name}'", value);
        if (scores.Score is { } score) RowCheck.Finite(where, "score", score);
        RowCheck.PerTokenOrNull(where, "token_rewards", scores.TokenRewards, tokens ?? scores.TokenRewards?.Length ?? 0);
        RowCheck.PerTokenOrNull(where, "reference_logprobs", scores.ReferenceLogprobs, tokens ?? scores.ReferenceLogprobs?.Length ?? 0);
    }
}

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
    public static readonly IReadOnlyList<DataColumn> Columns =
    [
        new("rewards", ColumnType.DoubleMap) { Optional = true },
        new("token_rewards", ColumnType.FloatList) { Optional = true },
        new("score", ColumnType.Double) { Optional = true },
        new("reference_logprobs", ColumnType.FloatList) { Optional = true },
    ];

    public static void Write(DataWriter writer, int first, RowScores scores)
    {
        writer.Set(first, scores.Rewards);
        if (scores.TokenRewards is { } rewards) writer.Set(first + 1, rewards.AsSpan());
        if (scores.Score is { } score) writer.Set(first + 2, score);
        if (scores.ReferenceLogprobs is { } reference) writer.Set(first + 3, reference.AsSpan());
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

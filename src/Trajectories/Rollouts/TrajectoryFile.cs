using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>What Optimization writes back for audit; each [responseLength].</summary>
public sealed record TokenTargets
{
    /// <summary>Nats, re-scored by the trainer before the first update.</summary>
    public required float[] OldLogprobs { get; init; }

    /// <summary>Value estimates; null for methods without a critic.</summary>
    public float[]? Values { get; init; }

    public required float[] Advantages { get; init; }

    /// <summary>Value targets; null for methods without a critic.</summary>
    public float[]? Returns { get; init; }
}

/// <summary>A row of trajectories.parquet.</summary>
public sealed record Trajectory(Rollout Rollout, RowScores Scores, TokenTargets Targets);

/// <summary>trajectories.parquet: everything an update was computed from.</summary>
public static class TrajectoryFile
{
    /// <summary>The columns that Optimization adds, in order.</summary>
    public static IReadOnlyList<DataColumn> AddedColumns { get; } =
    [
        new("old_logprobs", ColumnType.FloatList),
        new("values", ColumnType.FloatList) { Optional = true },
        new("advantages", ColumnType.FloatList),
        new("returns", ColumnType.FloatList) { Optional = true },
    ];

    /// <summary>Writes rows made in memory.</summary>
    /// <exception cref="BadDataException">A row contradicts itself, or the place cannot be written.</exception>
    public static void Write(string path, IEnumerable<Trajectory> rows)
    {
        ScoreColumns columns = new();
        using DataWriter writer = DataWriter.Create(path, [.. RolloutSchema.Columns, .. columns.Columns, .. AddedColumns]);
        foreach (Trajectory row in rows)
        {
            string where = $"{path}, row {writer.RowCount + 1}";
            int tokens = row.Rollout.ResponseTokens.Length;
            RolloutSchema.Check(row.Rollout, where);
            ScoreSchema.Check(where, row.Scores, tokens);
            Check(where, row.Targets, tokens);
            RolloutSchema.Write(writer, row.Rollout);
            ScoreSchema.Write(writer, RolloutSchema.Columns.Count, row.Scores, columns);
            WriteTargets(writer, RolloutSchema.Columns.Count + ScoreSchema.Columns.Count, row.Targets);
            writer.EndRow();
        }

        writer.Complete();
    }

    /// <summary>Copies a scored file with all its columns and adds the targets, one for each row in its order.</summary>
    /// <exception cref="BadDataException">The number of targets differs from the rows, a number is NaN, or the place cannot be written.</exception>
    public static void Augment(string input, string output, IEnumerable<TokenTargets> targets)
    {
        using TableAugmenter augmenter = TableAugmenter.Create(input, output, AddedColumns);
        foreach (TokenTargets row in targets)
        {
            Check($"{output}, row {augmenter.Rows.RowCount + 1}", row, row.OldLogprobs.Length);
            WriteTargets(augmenter.Rows, 0, row);
            augmenter.Rows.EndRow();
        }

        augmenter.Complete();
    }

    /// <summary>The rows in file order, streamed.</summary>
    /// <exception cref="BadDataException">Missing file or column (at once), no rows or a bad row (while enumerating).</exception>
    public static IEnumerable<Trajectory> Read(string pathOrGlob) =>
        Rows(DataReader.Open(pathOrGlob, new ReadOptions { Columns = [.. RolloutSchema.Columns, .. ScoreSchema.Columns, .. AddedColumns] }));

    private static IEnumerable<Trajectory> Rows(DataReader reader)
    {
        using (reader)
        {
            bool hasMetadata = reader.Find("metadata") >= 0;
            int[] scoresAt = [.. ScoreSchema.Columns.Select(c => reader.Find(c.Name))];
            int[] at = [.. AddedColumns.Select(c => reader.Find(c.Name))];
            bool any = false;
            foreach (RowBatch batch in reader.Batches())
            {
                for (int row = 0; row < batch.Count; row++) yield return ReadRow(batch, row, hasMetadata, scoresAt, at);
                any = true;
            }

            if (!any) throw new BadDataException($"{reader.Name} has no rows; expected trajectories.");
        }
    }

    private static Trajectory ReadRow(RowBatch batch, int row, bool hasMetadata, int[] scoresAt, int[] at)
    {
        ScoredRollout scored = ScoredFile.ReadRow(batch, row, hasMetadata, scoresAt);
        var targets = new TokenTargets
        {
            OldLogprobs = batch.GetFloatList(at[0], row) ?? throw batch.Bad(at[0], row, "has no value (null)."),
            Values = at[1] < 0 ? null : batch.GetFloatList(at[1], row),
            Advantages = batch.GetFloatList(at[2], row) ?? throw batch.Bad(at[2], row, "has no value (null)."),
            Returns = at[3] < 0 ? null : batch.GetFloatList(at[3], row),
        };
        Check(batch.Where(row), targets, scored.Rollout.ResponseTokens.Length);
        return new Trajectory(scored.Rollout, scored.Scores, targets);
    }

    private static void WriteTargets(DataWriter writer, int first, TokenTargets targets)
    {
        writer.Set(first, targets.OldLogprobs.AsSpan());
        if (targets.Values is { } values) writer.Set(first + 1, values.AsSpan());
        writer.Set(first + 2, targets.Advantages.AsSpan());
        if (targets.Returns is { } returns) writer.Set(first + 3, returns.AsSpan());
    }

    private static void Check(string where, TokenTargets targets, int tokens)
    {
        RowCheck.PerToken(where, "old_logprobs", targets.OldLogprobs, tokens);
        RowCheck.PerTokenOrNull(where, "values", targets.Values, tokens);
        RowCheck.PerToken(where, "advantages", targets.Advantages, tokens);
        RowCheck.PerTokenOrNull(where, "returns", targets.Returns, tokens);
    }
}

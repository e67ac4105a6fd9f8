using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>scored.parquet: what Scoring hands to Optimization.</summary>
public static class ScoredFile
{
    /// <summary>Writes rows made in memory. To score a file and keep columns that are not known here, use <see cref="Augment"/>.</summary>
    /// <exception cref="BadDataException">A row contradicts itself, or the place cannot be written.</exception>
    public static void Write(string path, IEnumerable<ScoredRollout> rows)
    {
        ScoreColumns columns = new();
        using DataWriter writer = DataWriter.Create(path, [.. RolloutSchema.Columns, .. columns.Columns]);
        foreach (ScoredRollout row in rows)
        {
            string where = $"{path}, row {writer.RowCount + 1}";
            RolloutSchema.Check(row.Rollout, where);
            ScoreSchema.Check(where, row.Scores, row.Rollout.ResponseTokens.Length);
            RolloutSchema.Write(writer, row.Rollout);
            ScoreSchema.Write(writer, RolloutSchema.Columns.Count, row.Scores, columns);
            writer.EndRow();
        }

        writer.Complete();
    }

    /// <summary>Copies any table with all its columns and adds the scores, one for each row in the input's order. <see cref="ScoreColumns.Replaced"/> tells what is replaced.</summary>
    /// <param name="input">File or pattern.</param>
    /// <param name="output">File.</param>
    /// <param name="scores">One for each row.</param>
    /// <param name="columns">Which of the scores; null: all.</param>
    /// <param name="range">Only these rows of the input are copied; null: all.</param>
    /// <param name="cancellation">Honoured while the input is copied.</param>
    /// <exception cref="BadDataException">The number of scores differs from the rows, a score is NaN, or the place cannot be written.</exception>
    public static void Augment(string input, string output, IEnumerable<RowScores> scores, ScoreColumns? columns = null, (long First, long Count)? range = null, CancellationToken cancellation = default)
    {
        columns ??= new ScoreColumns();
        using TableAugmenter augmenter = TableAugmenter.Create([input], output, columns.Columns, range);
        foreach (RowScores row in scores)
        {
            ScoreSchema.Check($"{output}, row {augmenter.Rows.RowCount + 1}", row, null);
            ScoreSchema.Write(augmenter.Rows, 0, row, columns);
            augmenter.Rows.EndRow();
        }

        augmenter.Complete(cancellation);
    }

    /// <summary>The rows in file order, streamed; what a scoring run did not make (token rewards, reference) is null.</summary>
    /// <exception cref="BadDataException">Missing file or column (at once), no rows or a bad row (while enumerating).</exception>
    public static IEnumerable<ScoredRollout> Read(string pathOrGlob) =>
        Rows(DataReader.Open(pathOrGlob, new ReadOptions { Columns = [.. RolloutSchema.Columns, .. ScoreSchema.Columns] }));

    private static IEnumerable<ScoredRollout> Rows(DataReader reader)
    {
        using (reader)
        {
            bool hasMetadata = reader.Find("metadata") >= 0;
            int[] at = [.. ScoreSchema.Columns.Select(c => reader.Find(c.Name))];
            bool any = false;
            foreach (RowBatch batch in reader.Batches())
            {
                for (int row = 0; row < batch.Count; row++) yield return ReadRow(batch, row, hasMetadata, at);
                any = true;
            }

            if (!any) throw new BadDataException($"{reader.Name} has no rows; expected scored rollouts.");
        }
    }

    internal static ScoredRollout ReadRow(RowBatch batch, int row, bool hasMetadata, int[] at)
    {
        Rollout rollout = RolloutSchema.Read(batch, row, hasMetadata);
        RowScores scores = ScoreSchema.Read(batch, row, at);
        ScoreSchema.Check(batch.Where(row), scores, rollout.ResponseTokens.Length);
        return new ScoredRollout(rollout, scores);
    }
}

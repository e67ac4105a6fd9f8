using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>Writes rollouts as they come; the file is whole after <see cref="Complete"/> and not there without it.</summary>
public sealed class RolloutWriter : IDisposable
{
    private readonly DataWriter _writer;

    /// <exception cref="BadDataException">The place cannot be written.</exception>
    public RolloutWriter(string path) => _writer = DataWriter.Create(path, RolloutSchema.Columns);

    /// <summary>Rows so far.</summary>
    public long RowCount => _writer.RowCount;

    /// <exception cref="BadDataException">The row contradicts itself, or the disk is full.</exception>
    public void Append(Rollout rollout)
    {
        RolloutSchema.Check(rollout, $"{_writer.Path}, row {_writer.RowCount + 1}");
        RolloutSchema.Write(_writer, rollout);
        _writer.EndRow();
    }

    /// <exception cref="BadDataException">The file cannot be completed; nothing of it stays.</exception>
    public void Complete() => _writer.Complete();

    public void Dispose() => _writer.Dispose();
}

/// <summary>rollouts.parquet: what Generation hands to Scoring, one row per response.</summary>
public static class RolloutFile
{
    /// <summary>Names and types of the columns, in order.</summary>
    public static IReadOnlyList<DataColumn> Columns => RolloutSchema.Columns;

    /// <exception cref="BadDataException">A row contradicts itself, or the place cannot be written.</exception>
    public static void Write(string path, IEnumerable<Rollout> rollouts)
    {
        using var writer = new RolloutWriter(path);
        foreach (Rollout rollout in rollouts) writer.Append(rollout);
        writer.Complete();
    }

    /// <summary>The rows in file order, streamed. Columns that it does not know are passed over.</summary>
    /// <exception cref="BadDataException">Missing file or column (at once), no rows or a bad row (while enumerating).</exception>
    public static IEnumerable<Rollout> Read(string pathOrGlob) => Rows(DataReader.Open(pathOrGlob, new ReadOptions { Columns = RolloutSchema.Columns }));

    private static IEnumerable<Rollout> Rows(DataReader reader)
    {
        using (reader)
        {
            bool hasMetadata = reader.Find("metadata") >= 0;
            bool any = false;
            foreach (RowBatch batch in reader.Batches())
            {
                for (int row = 0; row < batch.Count; row++) yield return RolloutSchema.Read(batch, row, hasMetadata);
                any = true;
            }

            if (!any) throw new BadDataException($"{reader.Name} has no rows; expected rollouts.");
        }
    }
}

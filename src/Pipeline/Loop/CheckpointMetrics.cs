using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// The metrics up to an iteration, as each checkpoint keeps them (<c>metrics.jsonl</c> in its folder, under its seal): what the run's own metrics.jsonl is held
/// against and restored from. Without wall-clock metrics, so that checkpoints of equal runs are equal byte for byte.
/// </summary>
public static class CheckpointMetrics
{
    public const string FileName = "metrics.jsonl";

    /// <summary>Writes them into a checkpoint that is being made.</summary>
    /// <param name="checkpoint">Its folder.</param>
    /// <param name="rows">From the first iteration to the checkpoint's.</param>
    public static void Write(WholeFolder checkpoint, IEnumerable<MetricRow> rows) => WholeFile.Write(checkpoint.FilePath(FileName), stream => MetricsFile.WriteWithoutTimes(stream, rows));

    /// <summary>The rows up to a whole checkpoint: as metrics.jsonl has them, times included, where it agrees with the checkpoint; otherwise as the checkpoint has them.</summary>
    /// <param name="checkpoint">Its folder.</param>
    /// <param name="iteration">Its iteration.</param>
    /// <param name="measured">What metrics.jsonl has.</param>
    /// <param name="restored">Iterations whose row comes from the checkpoint.</param>
    /// <returns>Null where rows are missing and the checkpoint keeps none (an older version wrote it).</returns>
    /// <exception cref="BadDataException">The checkpoint's rows cannot be read.</exception>
    public static IReadOnlyList<MetricRow>? Rows(string checkpoint, int iteration, IReadOnlyList<MetricRow> measured, out IReadOnlyList<int> restored)
    {
        string file = Path.Combine(checkpoint, FileName);
        ILookup<int, MetricRow> there = measured.ToLookup(r => r.Iteration);
        IReadOnlyList<MetricRow> kept = File.Exists(file) ? MetricsFile.Read(file) : [.. measured.Where(r => r.Iteration >= 1 && r.Iteration <= iteration).DistinctBy(r => r.Iteration)];
        var from = new List<int>();
        restored = from;
        if (kept.Count != iteration) return null;
        var rows = new MetricRow[iteration];
        for (int i = 1; i <= iteration; i++)
        {
            MetricRow row = kept[i - 1];
            if (row.Iteration != i) return null;
            MetricRow? same = there[i].FirstOrDefault(r => AreEqual(r, row));
            if (same is null) from.Add(i);
            rows[i - 1] = Known(same ?? row);
        }

        return rows;
    }

    /// <summary>Equal but for times.</summary>
    internal static bool AreEqual(MetricRow a, MetricRow b)
    {
        KeyValuePair<string, double>[] numbers = [.. a.Values.Where(IsNoTime)];
        return a.Iteration == b.Iteration && numbers.Length == b.Values.Count(IsNoTime) && numbers.All(n => b.Values.TryGetValue(n.Key, out double value) && value.Equals(n.Value));
    }

    private static bool IsNoTime(KeyValuePair<string, double> metric) => !MetricCatalogue.IsTime(metric.Key);

    // A file that was edited may name what no writer knows.
    private static MetricRow Known(MetricRow row) =>
        row.Values.Keys.All(MetricCatalogue.Default.Contains) ? row : row with { Values = row.Values.Where(v => MetricCatalogue.Default.Contains(v.Key)).ToDictionary() };
}

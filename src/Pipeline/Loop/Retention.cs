using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// Which checkpoints stay: the last N, and the best by a metric. A pure function of the metrics, so a resumed run keeps the same ones.
/// </summary>
public static class Retention
{
    /// <summary>
    /// The iteration whose checkpoint is the best so far, or null. An iteration's samples are drawn before its update, so the row of
    /// iteration k + 1 judges checkpoint k. Of equals, the earliest.
    /// </summary>
    /// <param name="rows">Metrics so far.</param>
    /// <param name="metric">Higher is better; empty: none.</param>
    public static int? Best(IEnumerable<MetricRow> rows, string metric)
    {
        if (metric.Length == 0) return null;
        int? best = null;
        double most = double.NegativeInfinity;
        foreach (MetricRow row in rows.Where(r => r.Iteration > 1).OrderBy(r => r.Iteration))
        {
            if (!row.Values.TryGetValue(metric, out double value) || !(value > most)) continue;
            (best, most) = (row.Iteration - 1, value);
        }

        return best;
    }

    /// <summary>True when the checkpoint of an iteration stays.</summary>
    public static bool Keeps(int iteration, int finished, int? best, int last) => last == 0 || iteration > finished - last || iteration == best;

    /// <summary>Removes checkpoints and policy folders that need not stay. May be cut short at any moment and called again.</summary>
    public static void Prune(RunDirectory run, RunConfig config, IReadOnlyList<MetricRow> rows, int finished)
    {
        if (config.KeepCheckpoints == 0) return;
        int? best = Best(rows.Where(r => r.Iteration <= finished), config.KeepBest);
        foreach (int i in NumberedFolders.In(run.CheckpointsFolder).Concat(NumberedFolders.In(run.IterationsFolder)).Distinct())
        {
            // Iteration 0 holds the policy that the run began with: the reference of every iteration.
            if (i < 1 || i > finished || Keeps(i, finished, best, config.KeepCheckpoints)) continue;
            WholeFolder.Remove(run.Checkpoint(i));
            WholeFolder.Remove(run.Iteration(i).Policy);
        }

        RewardHistory.Prune(run, rows, Enumerable.Range(1, finished).Where(i => Keeps(i, finished, best, config.KeepCheckpoints)), finished);
    }
}

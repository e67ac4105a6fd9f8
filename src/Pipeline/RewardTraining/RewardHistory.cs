using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// Which reward model is in use when: a pure function of the metrics (<c>reward_training/accepted</c>), so a resumed or replayed run finds the same one.
/// </summary>
public static class RewardHistory
{
    public const string Accepted = "reward_training/accepted";

    /// <summary>The reward model in use after an iteration: the iteration whose training was accepted last; 0: the one that the run began with.</summary>
    public static int CurrentAt(IEnumerable<MetricRow> rows, int iteration) =>
        rows.Where(r => r.Iteration <= iteration && r.Values.GetValueOrDefault(Accepted) == 1).Select(r => r.Iteration).DefaultIfEmpty(0).Max();

    /// <summary>What the next iteration reads of earlier ones and is missing or damaged: the negatives, the weights of the reward model in use, the first iteration's responses. Empty where no reward model is trained.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="run">Its iterations.</param>
    /// <param name="rows">Metrics so far.</param>
    /// <param name="finished">The last iteration done.</param>
    public static IReadOnlyList<string> Problems(RunConfig config, RunDirectory run, IReadOnlyList<MetricRow> rows, int finished)
    {
        RewardTrainingConfig section = config.RewardTraining;
        if (section.Reward.Length == 0 || finished == 0) return [];
        IterationPaths last = run.Iteration(finished);
        List<string> problems = [.. FolderSeal.Problems(last.Folder, f => f == Path.GetFileName(last.Negatives))];
        if (CurrentAt(rows, finished) is > 0 and int current) problems.AddRange(FolderSeal.Problems(run.Iteration(current).RewardWeights));
        bool readsFirst = section.AnchorShare > 0 || section.BottomOf != LikelihoodBaseline.Iteration;
        if (readsFirst) problems.AddRange(FolderSeal.Problems(run.Iteration(1).Folder, f => f.StartsWith("scored", StringComparison.Ordinal)));
        return problems;
    }

    /// <summary>Removes reward models that no kept checkpoint goes on with. May be cut short at any moment and called again.</summary>
    /// <param name="run">Its iterations.</param>
    /// <param name="rows">Metrics so far.</param>
    /// <param name="kept">Iterations whose checkpoints stay, the last one among them.</param>
    /// <param name="finished">Later iterations are left alone.</param>
    public static void Prune(RunDirectory run, IReadOnlyList<MetricRow> rows, IEnumerable<int> kept, int finished)
    {
        HashSet<int> used = [.. kept.Select(k => CurrentAt(rows, k))];
        foreach (MetricRow row in rows.Where(r => r.Iteration <= finished && !used.Contains(r.Iteration) && r.Values.ContainsKey(Accepted)))
        {
            IterationPaths paths = run.Iteration(row.Iteration);
            WholeFolder.Remove(paths.Reward);
            WholeFolder.Remove(paths.RewardWeights);
        }
    }
}

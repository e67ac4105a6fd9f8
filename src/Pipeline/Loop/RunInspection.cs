using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// What a run directory should hold, by its metrics, its configuration and what its checkpoints know, against what it holds. Of a run that is not done, the newest
/// iteration may be at work; of its checkpoints only the newest is needed.
/// </summary>
public sealed class RunInspection
{
    private readonly RunDirectory _run;
    private readonly List<InspectedItem> _items;

    private RunInspection(RunDirectory run) => (_run, _items) = (run, [.. run.Inspect()]);

    /// <summary>Every item, with what is missing among them. Takes as long as reading all sealed files.</summary>
    public static IReadOnlyList<InspectedItem> Of(RunDirectory run)
    {
        var inspection = new RunInspection(run);
        if (inspection._items.Any(i => i.Path is "manifest.json" or "config.resolved.yaml" && i.Problems.Count > 0)) return inspection._items; // what should be there cannot be told
        RunConfig[] configs;
        try
        {
            configs = Configs(run);
        }
        catch (RlhfException error)
        {
            inspection.Damaged("config.resolved.yaml", error.Message);
            return inspection._items;
        }

        // A run that is at work removes old checkpoints while their files are read; what should be there is looked for below.
        inspection._items.RemoveAll(i => i.Problems.Count > 0 && (i.Path.StartsWith("iterations", StringComparison.Ordinal) || i.Path.StartsWith("checkpoints", StringComparison.Ordinal)) && !Directory.Exists(Path.Combine(run.Root, i.Path)));
        inspection.Look(configs);
        return inspection._items;
    }

    /// <summary>What can be done about what is damaged or missing.</summary>
    /// <param name="run">The run.</param>
    /// <param name="items">As <see cref="Of"/> gave them; at least one has a problem.</param>
    public static string Remedy(RunDirectory run, IReadOnlyList<InspectedItem> items)
    {
        InspectedItem[] damaged = [.. items.Where(i => i.Problems.Count > 0)];
        if (damaged.Any(i => i.Path is "manifest.json" or "config.resolved.yaml"))
            return "'rlhf resume' goes on only with manifest.json and config.resolved.yaml as they were: put them back from a copy.";
        int newest = items.Where(i => i.IsFinished && i.Problems.Count == 0).Select(i => Iteration(i.Path, "checkpoints")).Append(0).Max();
        if (newest == 0) return $"No checkpoint is whole: './rlhf resume {run.Root} --restart' makes every iteration again.";
        string remedy = $"'./rlhf resume {run.Root}' goes on from checkpoint {newest} and makes again what comes after it.";
        int[] older = [.. damaged.Select(i => Iteration(i.Path, "iterations")).Where(i => i >= 1 && i <= newest)];
        return older.Length == 0 ? remedy
            : $"{remedy} The files of iterations {string.Join(", ", older)} it leaves as they are: './rlhf replay {run.Root} --iteration {older[0]} --out DIR' makes such an iteration again.";
    }

    // Of "iterations/0007", not of a folder inside it; -1 for all else.
    private static int Iteration(string path, string parent) => Path.GetDirectoryName(path) == parent ? NumberedFolders.NumberOf(path) : -1;

    private void Look(RunConfig[] configs)
    {
        RunConfig config = configs[^1];
        IReadOnlyList<MetricRow> rows = Rows(out int newest);
        int last = Math.Max(newest, rows.Select(r => r.Iteration).DefaultIfEmpty(0).Max());
        if (Directory.Exists(_run.FinalPolicyFolder)) last = Math.Max(last, config.Iterations); // exported after the last iteration
        bool isDone = last >= config.Iterations && File.Exists(Path.Combine(_run.Root, RunReport.DraftName));
        // The checkpoint of the newest iteration may be on its way.
        int safe = isDone || newest == last ? last : last - 1;
        for (int i = 1; i <= safe; i++) Expect(_run.Iteration(i).Folder);
        foreach (int i in Kept(configs, rows, safe, isDone)) ExpectCheckpoint(config, rows, i);
        if (last > 0) ExpectBeginnings(config);
        if (isDone) ExpectEnd(config, rows);
        foreach (int i in NumberedFolders.Whole(_run.CheckpointsFolder)) Expect(_run.Checkpoint(i)); // numbered, but without a seal
    }

    // As metrics.jsonl has them, or the newest whole checkpoint where that knows better.
    private IReadOnlyList<MetricRow> Rows(out int newest)
    {
        IReadOnlyList<MetricRow> measured = MetricsFile.ReadUndamaged(_run.MetricsPath, out _);
        int[] checkpoints = [.. NumberedFolders.Whole(_run.CheckpointsFolder)];
        newest = checkpoints.Append(0).Max();
        if (!File.Exists(_run.MetricsPath) && newest > 0) Damaged("metrics.jsonl", $"{_run.MetricsPath}: missing.");
        foreach (int k in checkpoints.Reverse())
        {
            if (FolderSeal.Problems(_run.Checkpoint(k)).Count > 0 || CheckpointMetrics.Rows(_run.Checkpoint(k), k, measured, out IReadOnlyList<int> restored) is not { } known) continue;
            if (restored.Count > 0 && File.Exists(_run.MetricsPath)) Damaged("metrics.jsonl", $"{_run.MetricsPath}: rows of iterations {string.Join(", ", restored)} are missing or changed; checkpoint {k} has them.");
            else if (measured.Count(r => r.Iteration <= k) != k) Damaged("metrics.jsonl", $"{_run.MetricsPath}: it has rows more than once.");
            return [.. known, .. measured.Where(r => r.Iteration > k)];
        }

        return measured;
    }

    // With a number that changed within the run, what was removed under the smaller one is not missed.
    private static IEnumerable<int> Kept(RunConfig[] configs, IReadOnlyList<MetricRow> rows, int safe, bool isDone)
    {
        if (safe < 1) return [];
        if (!isDone) return [safe];
        int last = configs.Min(c => c.KeepCheckpoints == 0 ? int.MaxValue : c.KeepCheckpoints);
        int? best = configs.All(c => c.KeepBest == configs[0].KeepBest) ? Retention.Best(rows, configs[0].KeepBest) : null;
        return Enumerable.Range(1, safe).Where(i => last == int.MaxValue || Retention.Keeps(i, safe, best, last));
    }

    private void ExpectCheckpoint(RunConfig config, IReadOnlyList<MetricRow> rows, int iteration)
    {
        Expect(_run.Checkpoint(iteration));
        Expect(_run.Iteration(iteration).Policy);
        if (config.RewardTraining.Reward.Length == 0 || RewardHistory.CurrentAt(rows, iteration) is not (> 0 and int trained)) return;
        Expect(_run.Iteration(trained).Reward);
        Expect(_run.Iteration(trained).RewardWeights);
    }

    private void ExpectBeginnings(RunConfig config)
    {
        RunModels models = RunModels.Of(config, _run);
        foreach (string model in models.Rewards.Select(r => r.Model).Append(models.Policy).Append(models.Reference).Where(m => m.StartsWith(_run.Root + Path.DirectorySeparatorChar, StringComparison.Ordinal)))
            Expect(model);
        if (config.Evaluation.Prompts.Length > 0) Expect(RunEvaluations.Folder(_run, "before"));
        if (!Directory.Exists(_run.TensorBoardFolder)) Damaged("tensorboard", $"{_run.TensorBoardFolder}: missing; the numbers are in metrics.jsonl too.");
    }

    private void ExpectEnd(RunConfig config, IReadOnlyList<MetricRow> rows)
    {
        Expect(_run.FinalPolicyFolder);
        Expect(_run.FinalWeightsFolder);
        if (config.Evaluation.Prompts.Length > 0)
        {
            Expect(RunEvaluations.Folder(_run, "after"));
            if (config.RewardTraining.Reward.Length > 0 && RewardHistory.CurrentAt(rows, config.Iterations) > 0) Expect(RunEvaluations.Folder(_run, "retrained"));
        }

        if (!File.Exists(_run.ReportPath)) Damaged("report.html", $"{_run.ReportPath}: missing; './rlhf report {_run.Root}' makes it again.");
    }

    private void Expect(string folder)
    {
        string relative = Path.GetRelativePath(_run.Root, folder);
        if (_items.Any(i => i.Path == relative && (i.IsFinished || i.Problems.Count > 0))) return;
        // One that was sealed after the list was made, by a run that is at work, is whole.
        if (FolderSeal.Problems(folder) is { Count: > 0 } problems) Damaged(relative, problems[0]);
    }

    private void Damaged(string path, string problem)
    {
        int at = _items.FindIndex(i => i.Path == path);
        if (at < 0) _items.Add(new InspectedItem(path, true, [problem]));
        else if (!_items[at].Problems.Contains(problem)) _items[at] = new InspectedItem(path, true, [.. _items[at].Problems, problem]);
    }

    /// <summary>The configuration as the run began with it, and after each change.</summary>
    private static RunConfig[] Configs(RunDirectory run)
    {
        IReadOnlyList<ConfigChange> changes = run.ReadManifest().Changes;
        return [.. Enumerable.Range(0, changes.Count).Select(n => ConfigBinder.Load<RunConfig>(run.ConfigPath, changes.Take(n).SelectMany(c => c.Set))), run.ReadConfig<RunConfig>()];
    }
}

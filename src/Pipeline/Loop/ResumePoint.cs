using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary>Where a stopped run goes on: the newest iteration whose checkpoint is whole, and with it all that the next iteration reads.</summary>
/// <param name="Iteration">0: from the beginning.</param>
/// <param name="Rows">Metrics of the iterations up to it.</param>
/// <param name="RestoresMetrics">True: metrics.jsonl is missing, short, edited or damaged; <see cref="RestoreMetrics"/> makes it again from the rows.</param>
public sealed record ResumePoint(int Iteration, IReadOnlyList<MetricRow> Rows, bool RestoresMetrics)
{
    /// <summary>Finds it, and says aloud what was damaged. Changes nothing.</summary>
    /// <param name="run">The run.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="restart">True: where iterations were finished but no checkpoint can be used, begin again instead of stopping.</param>
    /// <exception cref="BadDataException">No checkpoint of a run that had some can be used, and <paramref name="restart"/> is false.</exception>
    public static ResumePoint Find(RunDirectory run, RunConfig config, bool restart)
    {
        IReadOnlyList<MetricRow> measured = MetricsFile.ReadUndamaged(run.MetricsPath, out string? badLine);
        int[] checkpoints = [.. NumberedFolders.Whole(run.CheckpointsFolder)];
        string? firstDamage = null;
        foreach (int k in checkpoints.Reverse())
        {
            if (Damage(run, config, k, measured, out IReadOnlyList<MetricRow> rows, out IReadOnlyList<int> restored) is { } damage)
            {
                firstDamage ??= damage;
                Log.Warning($"{damage}; going back to the one before.");
                continue;
            }

            bool isIntact = badLine is null && measured.Where(r => r.Iteration <= k).Select(r => r.Iteration).SequenceEqual(rows.Select(r => r.Iteration)) && restored.Count == 0;
            string edited = File.Exists(run.MetricsPath) ? "is not as it was written" : "is missing";
            if (!isIntact) Log.Warning($"{badLine ?? $"{run.MetricsPath} {edited}."} {(restored.Count == 0 ? "The other rows are kept" : $"The rows of iterations {string.Join(", ", restored)} are taken from checkpoint {k}, without their times")}.");
            return new ResumePoint(k, rows, !isIntact);
        }

        // A row, and an iteration's seal, are written when the checkpoint of the iteration before is whole.
        int had = Math.Max(measured.Select(r => r.Iteration - 1).Append(checkpoints.Length).Max(), run.FinishedIterations().Append(0).Max() - 1);
        if (Directory.Exists(run.FinalPolicyFolder)) had = Math.Max(had, config.Iterations);
        if (had > 0 && !restart)
        {
            throw new BadDataException(
                $"{run.Root}: no whole checkpoint is left: {firstDamage ?? $"the run had finished iteration {had}, and there is none in {run.CheckpointsFolder}"}. Nothing was changed. "
                + $"Put the files back from a copy, or make every iteration again (the numbers will be the same) by: ./rlhf resume {run.Root} --restart");
        }

        return new ResumePoint(0, [], false);
    }

    /// <summary>Writes metrics.jsonl anew, whole or not at all, where it is not what the checkpoint knows.</summary>
    public void RestoreMetrics(RunDirectory run)
    {
        if (RestoresMetrics) WholeFile.WriteAllText(run.MetricsPath, string.Concat(Rows.Select(r => MetricsFile.ToLine(r) + "\n")));
    }

    private static string? Damage(RunDirectory run, RunConfig config, int checkpoint, IReadOnlyList<MetricRow> measured, out IReadOnlyList<MetricRow> rows, out IReadOnlyList<int> restored)
    {
        (rows, restored) = ([], []);
        string folder = run.Checkpoint(checkpoint);
        // A numbered folder got its name when its seal was written: one without is damaged, not unfinished.
        if (FolderSeal.Problems(folder) is { Count: > 0 } problems) return $"checkpoint {checkpoint} is damaged ({problems[0].TrimEnd('.')})";
        if (CheckpointMetrics.Rows(folder, checkpoint, measured, out restored) is not { } known)
            return $"checkpoint {checkpoint} cannot be used ({run.MetricsPath} lacks rows up to it, and it keeps none itself)";
        rows = known;
        return RewardHistory.Problems(config, run, rows, checkpoint) is { Count: > 0 } lost ? $"checkpoint {checkpoint} cannot be used: what iteration {checkpoint + 1} reads is damaged ({lost[0].TrimEnd('.')})" : null;
    }

    /// <summary>
    /// Removes what lies after an iteration, half-made folders included; of the next one stays what an interrupted process finished. May be cut short at any
    /// moment and called again.
    /// </summary>
    public static void RemoveAfter(RunDirectory run, int iteration)
    {
        foreach (string root in (string[])[run.CheckpointsFolder, run.IterationsFolder])
        {
            if (!Directory.Exists(root)) continue;
            foreach (string folder in Directory.GetDirectories(root))
            {
                bool partial = folder.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal);
                if (partial) FileErrors.Writing(folder, () => Directory.Delete(folder, recursive: true));
                else if (root == run.IterationsFolder && NumberedFolders.NumberOf(folder) == iteration + 1) RemoveUnlisted(folder, UnfinishedWork.Open(run.Unfinished(iteration + 1), folder));
                else if (NumberedFolders.NumberOf(folder) > iteration) WholeFolder.Remove(folder);
            }
        }

        if (!Directory.Exists(run.UnfinishedFolder)) return;
        foreach (string folder in Directory.GetDirectories(run.UnfinishedFolder))
        {
            int number = NumberedFolders.NumberOf(folder);
            if (number >= 0 && (number != iteration + 1 || folder.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal))) WholeFolder.Remove(run.Unfinished(number));
        }
    }

    /// <summary>Leaves the listed files, and the parts of a generation and the windows of a scoring that were cut short; the seal goes first.</summary>
    private static void RemoveUnlisted(string folder, UnfinishedWork work)
    {
        if (work.Files.Count == 0 && Directory.GetDirectories(folder, "*.parts", SearchOption.AllDirectories).Length == 0)
        {
            WholeFolder.Remove(folder);
            return;
        }

        FileErrors.Writing(folder, () =>
        {
            File.Delete(Path.Combine(folder, FolderSeal.FileName));
            WholeFolder.Remove(Path.Combine(folder, "policy"));
            foreach (string file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
            {
                string name = Path.GetRelativePath(folder, file).Replace(Path.DirectorySeparatorChar, '/');
                bool isPrompts = Path.GetFileName(file).StartsWith("prompts", StringComparison.Ordinal) && !name.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal);
                bool isPart = Path.GetDirectoryName(file)!.EndsWith(".parts", StringComparison.Ordinal) && !name.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal);
                if (!isPrompts && !work.Files.Contains(name) && !name.EndsWith(".scores.partial", StringComparison.Ordinal) && !isPart) File.Delete(file);
            }
        });
    }

    /// <summary>Compares what went into the run with what is there now.</summary>
    /// <param name="config">Names models and prompt files.</param>
    /// <param name="manifest">What the run was begun with.</param>
    /// <param name="outside">Rewards from outside, as named now.</param>
    /// <exception cref="BadDataException">A model, a prompt file or a reward's assembly changed: the run would not go on as it began.</exception>
    public static void CheckInputs(RunConfig config, RunManifest manifest, IReadOnlyList<OutsideReward>? outside = null)
    {
        IReadOnlyDictionary<string, string> now = Manifest.Inputs(config, outside);
        string[] changed = [.. manifest.Inputs.Where(i => !now.TryGetValue(i.Key, out string? hash) || hash != i.Value).Select(i => i.Key)], added = [.. now.Keys.Where(i => !manifest.Inputs.ContainsKey(i))];
        if (changed.Length + added.Length == 0) return;
        string found = string.Join("; ", new[]
        {
            changed.Length > 0 ? $"What the run was begun with has changed or is missing: {string.Join(", ", changed)} (SHA-256 differs from manifest.json)" : "",
            added.Length > 0 ? $"What the run was not begun with is there: {string.Join(", ", added)} (not in manifest.json)" : "",
        }.Where(t => t.Length > 0));
        throw new BadDataException($"{found}. Resumed, the run would be neither the old one nor a new one. Put the files back as they were, or begin a new run.");
    }
}

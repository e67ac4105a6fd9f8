using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary>Where a stopped run goes on: the newest iteration whose checkpoint is whole and whose metrics were written.</summary>
public static class ResumePoint
{
    /// <summary>Finds it, and says aloud what was damaged. 0: from the beginning.</summary>
    /// <param name="run">The run, open for writing.</param>
    /// <param name="restart">True: where checkpoints were finished but all of them are damaged, begin again instead of stopping.</param>
    /// <exception cref="BadDataException">Every finished checkpoint is damaged, and <paramref name="restart"/> is false.</exception>
    public static int Find(RunDirectory run, bool restart)
    {
        IReadOnlyList<MetricRow> rows = MetricsFile.ReadUndamaged(run.MetricsPath, out string? badLine);
        if (badLine is not null) Log.Warning($"{badLine} Iterations from there on are made again.");
        HashSet<int> measured = [.. rows.Select(r => r.Iteration)];
        string? firstDamage = null;
        foreach (int checkpoint in run.FinishedCheckpoints().Reverse())
        {
            IReadOnlyList<string> damage = FolderSeal.Problems(run.Checkpoint(checkpoint));
            if (damage.Count > 0)
            {
                firstDamage ??= damage[0];
                Log.Warning($"checkpoint {checkpoint} is damaged ({damage[0].TrimEnd('.')}); going back to the one before.");
            }
            else if (!measured.Contains(checkpoint))
            {
                // Killed between checkpoint and metrics: the numbers are made again, with the same values.
                Log.Info($"iteration {checkpoint} has a checkpoint but no metrics; it is made again.");
            }
            else
            {
                return checkpoint;
            }
        }

        if ((firstDamage ?? badLine) is { } lost && !restart)
        {
            throw new BadDataException(
                $"{run.Root}: no whole checkpoint is left: {lost.TrimEnd('.')}. Nothing was changed. Put the files back from a copy, or make every iteration again (the numbers will be the same) by: ./rlhf resume {run.Root} --restart");
        }

        return 0;
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
                else if (root == run.IterationsFolder && Retention.Number(folder) == iteration + 1) RemoveUnlisted(folder, UnfinishedWork.Open(run.Unfinished(iteration + 1), folder));
                else if (Retention.Number(folder) > iteration) WholeFolder.Remove(folder);
            }
        }

        if (!Directory.Exists(run.UnfinishedFolder)) return;
        foreach (string folder in Directory.GetDirectories(run.UnfinishedFolder))
        {
            int number = Retention.Number(folder);
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
        string[] changed = [.. manifest.Inputs.Where(i => now.TryGetValue(i.Key, out string? hash) ? hash != i.Value : true).Select(i => i.Key)];
        if (changed.Length == 0) return;
        throw new BadDataException(
            $"What the run was begun with has changed or is missing: {string.Join(", ", changed)} (SHA-256 differs from manifest.json). Resumed, the run would be neither the old one nor a new one. "
            + "Put the files back as they were, or begin a new run.");
    }
}

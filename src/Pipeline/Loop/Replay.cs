using System.Globalization;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>One file or folder of an iteration and what making it again gave.</summary>
/// <param name="Name">Relative to the iteration.</param>
/// <param name="State">"equal", or where it differs, or why it was not compared.</param>
/// <param name="Differs">True when it was compared and is not equal.</param>
public sealed record ReplayedItem(string Name, string State, bool Differs);

/// <summary>
/// Makes one iteration of a run again from what the run kept: the policy before it draws the same prompts at the same random addresses, the
/// same rewards score, and the checkpoint before it, where it is still there, trains. The run directory is only read.
/// </summary>
public static class Replay
{
    /// <summary>The policy that drew the iteration's responses.</summary>
    /// <exception cref="ConfigurationException">There is no such iteration.</exception>
    /// <exception cref="BadDataException">Its policy was not kept, or its inputs changed.</exception>
    public static string Check(RunDirectory run, RunConfig config, int iteration, IReadOnlyList<OutsideReward> outside)
    {
        IReadOnlyList<int> finished = run.FinishedIterations();
        if (!finished.Contains(iteration))
            throw new ConfigurationException($"--iteration {iteration}: {run.Root} has no such finished iteration; it has {(finished.Count == 0 ? "none" : $"1 to {finished[^1]}")}.");
        ResumePoint.CheckInputs(config, run.ReadManifest(), outside);
        string policy = run.Iteration(iteration - 1).Policy;
        if (Directory.Exists(policy)) return policy;
        string kept = string.Join(", ", finished.Where(i => Directory.Exists(run.Iteration(i - 1).Policy)).Select(i => i.ToString(CultureInfo.InvariantCulture)));
        throw new BadDataException(
            $"The policy that drew iteration {iteration} was removed (keep_checkpoints: {config.KeepCheckpoints}). Iterations that can be made again: {kept}. With keep_checkpoints: 0 a run keeps them all.");
    }

    /// <summary>Where the files of an iteration made again may go: what lies there already would be compared, or trained on, with them.</summary>
    /// <exception cref="ConfigurationException">The folder is not empty, or in the run.</exception>
    public static void CheckOutput(RunDirectory run, string output)
    {
        string inside = Path.GetRelativePath(run.Root, output);
        if (inside == "." || !(inside.StartsWith("..", StringComparison.Ordinal) || Path.IsPathRooted(inside))) throw new ConfigurationException($"--out {output} is in the run {run.Root}, which is only read. Give a folder outside of it.");
        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())) throw new ConfigurationException($"--out {output} is there and not empty. Give a new folder, or empty this one.");
    }

    /// <summary>Makes the iteration again.</summary>
    /// <param name="run">Open for reading.</param>
    /// <param name="iteration">From 1.</param>
    /// <param name="output">Where the new files go: empty, or not there.</param>
    /// <param name="outside">The rewards from outside that the run was begun with.</param>
    /// <param name="cancellation">Between tokens, batches and steps.</param>
    public static IReadOnlyList<ReplayedItem> Run(RunDirectory run, int iteration, string output, IReadOnlyList<OutsideReward> outside, CancellationToken cancellation)
    {
        RunConfig config = SameThreads(run.ReadConfig<RunConfig>(), run.ReadManifest());
        string policy = Check(run, config, iteration, outside);
        IterationPaths old = run.Iteration(iteration), made = new(output);
        var items = new List<ReplayedItem>();
        RunModels models = RunModels.Of(config, run);
        using RewardTraining? training = RewardTraining.Open(config, run, models, config.RewardTraining.Reward.Length == 0 ? [] : MetricsFile.Read(run.MetricsPath), iteration - 1, mayRepair: false);
        Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
        CollectedRollouts drawn;
        using (GenerationStage generation = GenerationStage.Open(policy, config.Generation.Engine, config.Threads))
        using (var scoring = new ScoringStage(training?.Rewards ?? models.Rewards, models.Reference, config.Threads, outside))
        {
            var schedule = new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed);
            drawn = new RolloutCollector(config, generation, scoring, schedule, models.Reference, new RunPlace()).Collect(iteration, made, policy, null, cancellation);
        }

        items.AddRange(FolderListing.Of(output).Select(file => Compare(old.Folder, output, file)));
        if (training is not null)
        {
            TorchThreads.Apply(config.Threads);
            training.After(iteration, drawn.Rows, made, null, cancellation);
            items.Add(Compare(old.Folder, output, "negatives.parquet"));
            if (Directory.Exists(made.RewardWeights) && Directory.Exists(old.RewardWeights)) items.AddRange(Folder(old.RewardWeights, made.RewardWeights, "reward_weights"));
        }

        string before = run.Checkpoint(iteration - 1);
        if (iteration > 1 && !Directory.Exists(before))
        {
            items.Add(new("trajectories.parquet", $"not compared: checkpoint {iteration - 1} was not kept", false));
            return items;
        }

        using PolicySession session = PolicySession.Open(config, iteration == 1 ? null : before);
        session.Iterate(drawn.ScoredFiles, drawn.Rows, made.Trajectories, null, cancellation, drawn.Others);
        items.Add(Compare(old.Folder, output, "trajectories.parquet"));
        session.ExportPolicy(made.Policy);
        if (Directory.Exists(old.Policy)) items.AddRange(Folder(old.Policy, made.Policy, "policy"));
        if (!Directory.Exists(run.Checkpoint(iteration))) return items;
        string checkpoint = Path.Combine(output, "checkpoint");
        session.SaveCheckpoint(checkpoint);
        // The run's seal lists its metrics too, which a replay does not measure.
        items.AddRange(Folder(run.Checkpoint(iteration), checkpoint, "checkpoint").Where(i => i.Name != $"checkpoint/{FolderSeal.FileName}"));
        return items;
    }

    /// <summary>Why the bytes may differ: what is not as it was when the run began.</summary>
    public static string Explain(RunManifest manifest)
    {
        IReadOnlyList<string> changes = Changes(manifest);
        return changes.Count == 0
            ? "Versions, processors and threads are those of the manifest: if the run stepped back after a numerical failure or was resumed with other versions, that is why; otherwise this is a defect."
            : $"Since the run began, this changed: {string.Join("; ", changes)}.";
    }

    /// <summary>Versions and machine as the manifest tells them, where they are different now.</summary>
    public static IReadOnlyList<string> Changes(RunManifest manifest)
    {
        IReadOnlyDictionary<string, string> now = Manifest.Versions();
        List<string> changes = [.. manifest.Versions.Where(v => now.TryGetValue(v.Key, out string? version) && version != v.Value).Select(v => $"{v.Key} was {v.Value}, is {now[v.Key]}")];
        if (manifest.Processors != Environment.ProcessorCount) changes.Add($"processors were {manifest.Processors}, are {Environment.ProcessorCount}");
        return changes;
    }

    /// <summary>Where all cores were asked for, as many threads as there were then: sums are taken in the same order.</summary>
    public static RunConfig SameThreads(RunConfig config, RunManifest manifest) =>
        config.Threads == 0 && manifest.Processors != Environment.ProcessorCount ? config with { Threads = manifest.Threads } : config;

    private static IEnumerable<ReplayedItem> Folder(string old, string made, string name)
    {
        foreach (string file in FolderListing.Of(made)) yield return Compare(old, made, file) with { Name = $"{name}/{file}" };
    }

    private static ReplayedItem Compare(string old, string made, string file)
    {
        string a = Path.Combine(old, file), b = Path.Combine(made, file);
        if (!File.Exists(a)) return new(file, "missing in the run", true);
        long left = new FileInfo(a).Length, right = new FileInfo(b).Length;
        if (left != right) return new(file, $"differs: {left} bytes in the run, {right} now", true);
        long at = FirstDifference(a, b);
        return at < 0 ? new(file, "equal", false) : new(file, $"differs from byte {at} of {left} on", true);
    }

    private static long FirstDifference(string a, string b) => FileErrors.Reading(a, () =>
    {
        using FileStream left = File.OpenRead(a), right = File.OpenRead(b);
        byte[] x = new byte[1 << 16], y = new byte[1 << 16];
        for (long at = 0; ;)
        {
            int n = left.ReadAtLeast(x, x.Length, throwOnEndOfStream: false), m = right.ReadAtLeast(y, y.Length, throwOnEndOfStream: false);
            int same = x.AsSpan(0, n).CommonPrefixLength(y.AsSpan(0, m));
            if (same < n || same < m) return at + same;
            if (n < x.Length) return -1;
            at += n;
        }
    });
}

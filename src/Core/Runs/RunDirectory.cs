namespace Rlhf.Core;

/// <summary>Where the files of one iteration are.</summary>
public sealed record IterationPaths(string Folder)
{
    /// <summary>What Generation wrote.</summary>
    public string Rollouts => Path.Combine(Folder, "rollouts.parquet");

    /// <summary>What Scoring wrote.</summary>
    public string Scored => Path.Combine(Folder, "scored.parquet");

    /// <summary>What Optimization wrote back for audit.</summary>
    public string Trajectories => Path.Combine(Folder, "trajectories.parquet");

    /// <summary>The ONNX folder of the policy after the iteration.</summary>
    public string Policy => Path.Combine(Folder, "policy");

    /// <summary>Responses that fooled the reward model so far, where one is trained during the run.</summary>
    public string Negatives => Path.Combine(Folder, "negatives.parquet");

    /// <summary>The ONNX folder of the reward model as trained in the iteration.</summary>
    public string Reward => Path.Combine(Folder, "reward");

    /// <summary>The same as a Hugging Face folder: what its next training goes on from.</summary>
    public string RewardWeights => Path.Combine(Folder, "reward_weights");
}

/// <summary>What <see cref="RunDirectory.Inspect"/> found about one folder or file.</summary>
/// <param name="Path">Relative to the run directory.</param>
/// <param name="IsFinished">True when it has a seal (or needs none).</param>
/// <param name="Problems">Empty when it is whole.</param>
public sealed record InspectedItem(string Path, bool IsFinished, IReadOnlyList<string> Problems);

/// <summary>
/// The directory of one run: an interface that other programs may rely on, documented in docs/run-directory.md. Holds the run's lock as
/// long as it is open for writing.
/// </summary>
public sealed class RunDirectory : IDisposable
{
    /// <summary>What a run makes besides configuration, manifest and lock, none of it before the manifest.</summary>
    private static readonly string[] Own =
        ["iterations", "checkpoints", "unfinished", "evaluation", "rewards", "reference", "policy", "weights", "tensorboard", "metrics.jsonl", "warnings.jsonl", "report.json", "report.html"];

    private readonly RunLock? _lock;
    private bool _isNew;

    private RunDirectory(string path, RunLock? runLock) => (Root, _lock) = (path, runLock);

    /// <summary>Absolute.</summary>
    public string Root { get; }

    public string ConfigPath => Path.Combine(Root, "config.resolved.yaml");
    public string ManifestPath => Path.Combine(Root, "manifest.json");
    public string MetricsPath => Path.Combine(Root, "metrics.jsonl");

    /// <summary>Every warning of the run, see <see cref="RunWarnings"/>.</summary>
    public string WarningsPath => Path.Combine(Root, "warnings.jsonl");

    public string ReportPath => Path.Combine(Root, "report.html");
    public string TensorBoardFolder => Path.Combine(Root, "tensorboard");
    public string IterationsFolder => Path.Combine(Root, "iterations");
    public string CheckpointsFolder => Path.Combine(Root, "checkpoints");

    /// <summary>What an interrupted iteration or evaluation had finished; a part goes with the iteration's end.</summary>
    public string UnfinishedFolder => Path.Combine(Root, "unfinished");

    /// <summary>The tuned policy after the last iteration: an ONNX folder.</summary>
    public string FinalPolicyFolder => Path.Combine(Root, "policy");

    /// <summary>The tuned policy after the last iteration: a Hugging Face folder.</summary>
    public string FinalWeightsFolder => Path.Combine(Root, "weights");

    /// <summary>Begins a run: makes the directory, takes its lock, writes the resolved configuration and the manifest.</summary>
    /// <exception cref="BadDataException">The directory holds a run already, is in use, or cannot be written.</exception>
    public static RunDirectory Create(string path, object config, RunManifest manifest)
    {
        string root = Path.GetFullPath(path);
        bool isNew = !Directory.Exists(root) || !Directory.EnumerateFileSystemEntries(root).Any();
        RunLock runLock = new(root);
        try
        {
            RunDirectory run = new(root, runLock) { _isNew = isNew };
            RequireNoRun(path);

            string yaml = ConfigWriter.ToYaml(config);
            WholeFile.WriteAllText(run.ConfigPath, yaml);
            // The manifest comes last: a directory that has one has a configuration too.
            RunJson.Write(run.ManifestPath, manifest with { ConfigSha256 = Sha256.OfText(yaml) });
            return run;
        }
        catch
        {
            runLock.Dispose();
            if (isNew) Directory.Delete(root, recursive: true);
            throw;
        }
    }

    /// <summary>
    /// A run that could not begin leaves nothing: removes the directory where <see cref="Create"/> made it (or found it empty), otherwise the
    /// run's own files, of which there were none. Disposes of the object.
    /// </summary>
    public void Abandon()
    {
        if (!_isNew) FileErrors.Writing(Root, RemoveOwn);
        Dispose();
        if (_isNew) FileErrors.Writing(Root, () => Directory.Delete(Root, recursive: true));
    }

    // The manifest goes first: without it, nothing here is taken for a run.
    private void RemoveOwn()
    {
        foreach (string file in (string[])[ManifestPath, ConfigPath]) File.Delete(file);
        foreach (string path in Own.Select(name => Path.Combine(Root, name)))
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
            else File.Delete(path);
        }
    }

    /// <summary>Refuses a directory in which a new run would replace what another one, or somebody else, has left.</summary>
    /// <param name="path">Need not exist.</param>
    /// <exception cref="BadDataException">It holds a run, or files with the names of a run's.</exception>
    public static void RequireNoRun(string path)
    {
        if (File.Exists(Path.Combine(path, "manifest.json")))
            throw new BadDataException($"'{path}' holds a run already (manifest.json). Go on with it by 'rlhf resume {path}', or choose another directory.");
        if (Remains(path) is { Length: > 0 } remains)
        {
            throw new BadDataException(
                $"'{path}' has no manifest.json, but {remains}, which a new run would replace. Where these are a run's, put its manifest.json back and go on by 'rlhf resume {path}'; otherwise choose another directory.");
        }
    }

    private static string Remains(string path) => string.Join(", ", Own.Where(name => Path.Exists(Path.Combine(path, name))));

    /// <summary>Opens a run to go on with it, and takes its lock.</summary>
    /// <exception cref="BadDataException">There is no run, or it is in use.</exception>
    public static RunDirectory OpenForWriting(string path)
    {
        RequireRun(path);
        string root = Path.GetFullPath(path);
        return new RunDirectory(root, new RunLock(root));
    }

    /// <summary>Opens a run to look at it, also while another process works in it.</summary>
    /// <exception cref="BadDataException">There is no run.</exception>
    public static RunDirectory OpenForReading(string path)
    {
        RequireRun(path);
        return new RunDirectory(Path.GetFullPath(path), null);
    }

    /// <summary>The paths of one iteration, from 1: <c>iterations/0007</c>.</summary>
    public IterationPaths Iteration(int iteration) => new(NumberedFolders.At(IterationsFolder, iteration));

    /// <summary>The folder of the checkpoint taken after an iteration: <c>checkpoints/0007</c>.</summary>
    public string Checkpoint(int iteration) => NumberedFolders.At(CheckpointsFolder, iteration);

    /// <summary>What an interrupted iteration had finished: <c>unfinished/0007</c>.</summary>
    public string Unfinished(int iteration) => NumberedFolders.At(UnfinishedFolder, iteration);

    /// <summary>The manifest as it was written.</summary>
    /// <exception cref="BadDataException">It is missing or damaged.</exception>
    public RunManifest ReadManifest() => RunJson.Read<RunManifest>(ManifestPath);

    /// <summary>The configuration as it was resolved, with the values that were changed since (<see cref="RunManifest.Changes"/>).</summary>
    /// <exception cref="ConfigurationException">It was edited into something invalid.</exception>
    /// <exception cref="BadDataException">The manifest is damaged, or changes what cannot change within a run.</exception>
    public T ReadConfig<T>()
        where T : class
    {
        T first = ConfigBinder.Load<T>(ConfigPath);
        string[] changes = [.. ReadManifest().Changes.SelectMany(c => c.Set)];
        if (changes.Length == 0) return first;
        T now = ConfigBinder.Load<T>(ConfigPath, changes);
        return ConfigDifference.Between(first, now).FirstOrDefault(d => !d.IsSafeToChange) is { } wrong
            ? throw new BadDataException($"'{ManifestPath}' was edited: its changes set {wrong.Key}, which cannot change within a run. Put the file back as it was.")
            : now;
    }

    /// <summary>Makes values that may change within a run hold from now on, for this process and those after it. Nothing is written where they hold already.</summary>
    /// <param name="afterIteration">The last iteration that was made with the old ones.</param>
    /// <param name="config">With the new ones.</param>
    public void RecordChanges<T>(int afterIteration, T config)
        where T : class
    {
        string[] set = [.. ConfigDifference.Between(ReadConfig<T>(), config).Where(d => d.IsSafeToChange).Select(d => $"{d.Key}={d.Right}")];
        if (set.Length == 0) return;
        RunManifest manifest = ReadManifest();
        RunJson.Write(ManifestPath, manifest with { Changes = [.. manifest.Changes, new ConfigChange(afterIteration, set)] });
    }

    /// <summary>Refuses to go on with a configuration that was edited after the run began.</summary>
    /// <exception cref="BadDataException">Its SHA-256 is not the manifest's.</exception>
    public void CheckConfig()
    {
        if (InspectConfig().Problems is { Count: > 0 } problems)
            throw new BadDataException($"{problems[0].TrimEnd('.')}. Put it back as it was; values that may change within a run are given by --set.");
    }

    /// <summary>Iterations whose folder has a seal, ascending.</summary>
    public IReadOnlyList<int> FinishedIterations() => Sealed(IterationsFolder);

    /// <summary>Checkpoints whose folder has a seal, ascending. Their bytes are not verified; see <see cref="FolderSeal.Verify"/>.</summary>
    public IReadOnlyList<int> FinishedCheckpoints() => Sealed(CheckpointsFolder);

    /// <summary>Verifies every file that has a recorded size or hash. Takes as long as reading them. What is missing altogether is for those to tell who know the run's configuration.</summary>
    public IReadOnlyList<InspectedItem> Inspect()
    {
        List<InspectedItem> items = [InspectManifest()];
        if (items[0].Problems.Count == 0) items.Add(InspectConfig());
        if (File.Exists(MetricsPath)) items.Add(InspectMetrics());
        foreach (string parent in (string[])["rewards", "evaluation"]) items.AddRange(Folders(Path.Combine(Root, parent)).Select(InspectFolder));
        foreach (string folder in Folders(IterationsFolder))
        {
            // Iteration 0 holds only the policy that the run began with.
            if (folder != Iteration(0).Folder) items.Add(InspectFolder(folder));
            IterationPaths paths = new(folder);
            items.AddRange(new[] { paths.Policy, paths.Reward, paths.RewardWeights }.Where(FolderSeal.Exists).Select(InspectFolder));
        }

        items.AddRange(Folders(CheckpointsFolder).Select(InspectFolder));
        foreach (string folder in Folders(UnfinishedFolder))
        {
            string checkpoint = Path.Combine(folder, "checkpoint");
            items.Add(FolderSeal.Exists(checkpoint) ? InspectFolder(checkpoint) : new(Path.GetRelativePath(Root, folder), false, []));
        }

        foreach (string folder in (string[])[Path.Combine(Root, "reference"), FinalPolicyFolder, FinalWeightsFolder])
        {
            if (Directory.Exists(folder)) items.Add(InspectFolder(folder));
        }

        return items;
    }

    private static IEnumerable<string> Folders(string parent) => Directory.Exists(parent) ? Directory.EnumerateDirectories(parent).Order(StringComparer.Ordinal) : [];

    private InspectedItem InspectFolder(string folder)
    {
        string relative = Path.GetRelativePath(Root, folder);
        bool finished = !folder.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal) && FolderSeal.Exists(folder);
        return finished ? new(relative, true, FolderSeal.Problems(folder)) : new(relative, false, []);
    }

    public void Dispose() => _lock?.Dispose();

    private InspectedItem InspectManifest() => new("manifest.json", true, Problems(() =>
    {
        ReadManifest();
        return [];
    }));

    private InspectedItem InspectConfig() => new("config.resolved.yaml", true, Problems(() =>
        Sha256.OfFile(ConfigPath) == ReadManifest().ConfigSha256 ? [] : [$"{ConfigPath}: changed after the run began (the manifest has another SHA-256)."]));

    private InspectedItem InspectMetrics() => new("metrics.jsonl", true, Problems(() =>
    {
        MetricsFile.Read(MetricsPath);
        return [];
    }));

    private static IReadOnlyList<string> Problems(Func<IReadOnlyList<string>> verify)
    {
        try
        {
            return verify();
        }
        catch (BadDataException error)
        {
            return [error.Message]; // reported beside the other findings instead of ending the inspection
        }
    }

    private static int[] Sealed(string parent) => [.. NumberedFolders.Whole(parent).Where(n => FolderSeal.Exists(NumberedFolders.At(parent, n)))];

    private static void RequireRun(string path)
    {
        if (File.Exists(Path.Combine(path, "manifest.json"))) return;
        string remedy = Remains(path) is { Length: > 0 } remains ? $"It has {remains}: if these are a run's, put its manifest.json back." : "Give the folder that 'rlhf run' named when it began.";
        throw new BadDataException($"'{path}' is not a run directory: it has no manifest.json. {remedy}");
    }
}

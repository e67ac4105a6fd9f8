using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class RunDirectoryTests
{
    private static readonly SampleConfig Config = new() { Policy = "/models/tiny" };
    private static readonly RunManifest Manifest = new() { Seed = 17, Threads = 2, Versions = new Dictionary<string, string> { ["duckdb"] = "1.5.6" }, Command = ["rlhf", "run"] };

    [Test]
    public void ARunCanBeReadBack()
    {
        using TemporaryFolder folder = new();
        using (RunDirectory run = RunDirectory.Create(folder["run"], Config, Manifest))
        {
            Assert.That(run.Iteration(7).Rollouts, Is.EqualTo(folder["run/iterations/0007/rollouts.parquet"]));
            Assert.That(run.Iteration(12345).Policy, Is.EqualTo(folder["run/iterations/12345/policy"]));
            Assert.That(run.Checkpoint(7), Is.EqualTo(folder["run/checkpoints/0007"]));
        }

        using RunDirectory back = RunDirectory.OpenForReading(folder["run"]);
        RunManifest manifest = back.ReadManifest();
        Assert.That((manifest.Seed, manifest.Threads, manifest.Versions["duckdb"], manifest.FormatVersion), Is.EqualTo((17UL, 2, "1.5.6", 1)));
        Assert.That(manifest.ConfigSha256, Is.EqualTo(Sha256.OfFile(back.ConfigPath)));
        Assert.That(ConfigDifference.Between(back.ReadConfig<SampleConfig>(), Config), Is.Empty);
        Assert.That(back.Inspect().SelectMany(i => i.Problems), Is.Empty);
    }

    [Test]
    public void TwoProcessesCannotRunInOneDirectory()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], Config, Manifest);
        BadDataException error = Assert.Throws<BadDataException>(() => RunDirectory.OpenForWriting(folder["run"]))!;
        Assert.That(error.Message, Is.EqualTo(
            $"The run directory '{folder["run"]}' is in use by process {Environment.ProcessId} on {Environment.MachineName}; two processes would overwrite each other's files. Wait for it, stop it, or choose another directory."));
        using RunDirectory reader = RunDirectory.OpenForReading(folder["run"]);
        Assert.That(reader.ReadManifest().Seed, Is.EqualTo(17));
        run.Dispose();
        using RunDirectory next = RunDirectory.OpenForWriting(folder["run"]);
    }

    [Test]
    public void ASecondRunInTheSameDirectoryIsRefused()
    {
        using TemporaryFolder folder = new();
        RunDirectory.Create(folder["run"], Config, Manifest).Dispose();
        BadDataException error = Assert.Throws<BadDataException>(() => RunDirectory.Create(folder["run"], Config, Manifest))!;
        Assert.That(error.Message, Is.EqualTo(
            $"'{folder["run"]}' holds a run already (manifest.json). Go on with it by 'rlhf resume {folder["run"]}', or choose another directory."));
    }

    /// <summary>What a run has made is not replaced by another one because its manifest is lost.</summary>
    [Test]
    public void ALostManifestMakesNoRoomForANewRun()
    {
        using TemporaryFolder folder = new();
        RunDirectory.Create(folder["run"], Config, Manifest).Dispose();
        folder.Write("run/iterations/0001/rollouts.parquet", "rows");
        folder.Write("run/metrics.jsonl", "{}");
        File.Delete(folder["run/manifest.json"]);
        BadDataException error = Assert.Throws<BadDataException>(() => RunDirectory.Create(folder["run"], Config, Manifest))!;
        Assert.That(error.Message, Is.EqualTo(
            $"'{folder["run"]}' has no manifest.json, but iterations, metrics.jsonl, which a new run would replace. Where these are a run's, put its manifest.json back and go on by 'rlhf resume {folder["run"]}'; otherwise choose another directory."));
        Assert.That(Assert.Throws<BadDataException>(() => RunDirectory.OpenForReading(folder["run"]))!.Message, Does.EndWith("it has no manifest.json. It has iterations, metrics.jsonl: if these are a run's, put its manifest.json back."));
        Assert.That(File.ReadAllText(folder["run/iterations/0001/rollouts.parquet"]), Is.EqualTo("rows"));
    }

    /// <summary>In a folder that holds other things, a run that could not begin takes its own files away again: the next one begins.</summary>
    [Test]
    public void ARunThatCouldNotBeginLeavesWhatWasThere()
    {
        using TemporaryFolder folder = new();
        folder.Write("run/notes.txt", "mine");
        RunDirectory run = RunDirectory.Create(folder["run"], Config, Manifest);
        folder.Write("run/iterations/0000/policy/model.onnx", "weights");
        folder.Write("run/warnings.jsonl", "{}");
        run.Abandon();
        Assert.That(Directory.GetFileSystemEntries(folder["run"]).Select(Path.GetFileName), Is.EquivalentTo(new[] { "notes.txt", "run.lock" }));
        RunDirectory.Create(folder["run"], Config, Manifest).Dispose();
    }

    [Test]
    public void ADamagedManifestIsAnItemOfItsOwn()
    {
        using TemporaryFolder folder = new();
        folder.Write("manifest.json", "{\"seed\": ");
        using RunDirectory run = RunDirectory.OpenForReading(folder.Path);
        Assert.That(run.Inspect().Select(i => (i.Path, i.Problems.Count)), Is.EqualTo(new[] { ("manifest.json", 1) }));
    }

    [Test]
    public void AFolderWithoutManifestIsNoRun()
    {
        using TemporaryFolder folder = new();
        BadDataException error = Assert.Throws<BadDataException>(() => RunDirectory.OpenForReading(folder.Path))!;
        Assert.That(error.Message, Is.EqualTo($"'{folder.Path}' is not a run directory: it has no manifest.json. Give the folder that 'rlhf run' named when it began."));
    }

    [Test]
    public void ADamagedManifestIsNamed()
    {
        using TemporaryFolder folder = new();
        folder.Write("manifest.json", "{\"seed\": ");
        using RunDirectory run = RunDirectory.OpenForReading(folder.Path);
        Assert.That(Assert.Throws<BadDataException>(() => run.ReadManifest())!.Message, Does.StartWith($"'{folder["manifest.json"]}' is damaged: "));
    }

    [Test]
    public void InspectFindsEveryKindOfDamage()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], Config, Manifest);
        for (int i = 1; i <= 2; i++)
        {
            folder.Write($"run/iterations/000{i}/rollouts.parquet", "rows");
            folder.Write($"run/iterations/000{i}/scored.parquet", "scored");
            folder.Write($"run/iterations/000{i}/policy/model.onnx", "weights");
            FolderSeal.Write(run.Iteration(i).Folder);
        }

        Directory.CreateDirectory(folder["run/iterations/0003"]);
        Assert.That(run.FinishedIterations(), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(run.Inspect().SelectMany(i => i.Problems), Is.Empty);
        Assert.That(run.Inspect().Where(i => !i.IsFinished).Select(i => i.Path), Is.EqualTo(new[] { "iterations/0003" }));

        folder.Write("run/iterations/0001/rollouts.parquet", "rowS");
        folder.Write("run/iterations/0001/scored.parquet", "scor");
        File.Delete(folder["run/iterations/0001/policy/model.onnx"]);
        folder.Write("run/iterations/0001/extra", "x");
        folder.Write("run/config.resolved.yaml", "edited: true\n");
        folder.Write("run/metrics.jsonl", "nonsense\n");
        InspectedItem[] damaged = [.. run.Inspect().Where(i => i.Problems.Count > 0)];
        string first = folder["run/iterations/0001"];
        Assert.That(damaged.Select(d => d.Path), Is.EqualTo(new[] { "config.resolved.yaml", "metrics.jsonl", "iterations/0001" }));
        Assert.That(damaged[0].Problems, Is.EqualTo(new[] { $"{run.ConfigPath}: changed after the run began (the manifest has another SHA-256)." }));
        Assert.That(damaged[2].Problems, Is.EqualTo(new[]
        {
            $"{first}/policy/model.onnx: missing; the seal lists it with 7 bytes.",
            $"{first}/rollouts.parquet: the bytes changed after the folder was finished (SHA-256 differs).",
            $"{first}/scored.parquet: 4 bytes; the seal says 6.",
            $"{first}/extra: not in the seal; it was added after the folder was finished.",
        }));
    }

    [Test]
    public void ASealCannotReachOutOfItsFolder()
    {
        using TemporaryFolder folder = new();
        folder.Write("a/files.json", "{\"files\": [{\"path\": \"../secret\", \"bytes\": 1, \"sha256\": \"x\"}]}");
        Assert.That(FolderSeal.Verify(folder["a"]).Single(), Does.EndWith("the seal names a file outside its folder; the seal was tampered with."));
    }
}

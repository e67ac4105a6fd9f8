using NUnit.Framework;

namespace Rlhf.Core.Tests;

[NonParallelizable] // listens to the log
public sealed class RunWarningsTests
{
    [Test]
    public void EveryProcessOfARunAddsToTheSameList()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], new SampleConfig { Policy = "/models/tiny" }, new RunManifest { Seed = 1, Threads = 1 });
        using (RunWarnings first = new(run))
        {
            Log.Warning("iteration 1: \"too\" far");
            Log.Warning("iteration 2: too long");
            Log.Warning("iteration 2: too long");
        }

        Log.Warning("nobody's");
        File.AppendAllText(run.WarningsPath, "\n{\"warning\":\"half");
        using (RunWarnings second = new(run))
        {
            Log.Warning("iteration 2: too long");
            second.Add("iteration 3: gone");
            Assert.That(second.Texts, Is.EqualTo(new[] { "iteration 1: \"too\" far", "iteration 2: too long", "iteration 3: gone" }));
        }

        Assert.That(RunWarnings.Read(run.WarningsPath), Is.EqualTo(new[] { "iteration 1: \"too\" far", "iteration 2: too long", "iteration 3: gone" }));
    }

    [Test]
    public void ChangedValuesHoldFromThenOn()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], new RunConfig { Policy = "/models/tiny", Generation = new() { Prompts = "/p" } }, new RunManifest { Seed = 1, Threads = 1 });
        RunConfig config = run.ReadConfig<RunConfig>();
        run.RecordChanges(2, config);
        Assert.That(run.ReadManifest().Changes, Is.Empty, "nothing changed");
        run.RecordChanges(2, config with { KeepCheckpoints = 7, KeepBest = "" });
        run.RecordChanges(5, run.ReadConfig<RunConfig>() with { KeepCheckpoints = 3 });
        Assert.That(run.ReadManifest().Changes.Select(c => c.AfterIteration), Is.EqualTo(new[] { 2, 5 }));
        Assert.That((run.ReadConfig<RunConfig>().KeepCheckpoints, run.ReadConfig<RunConfig>().KeepBest), Is.EqualTo((3, "")));
        Assert.That(run.Inspect().SelectMany(i => i.Problems), Is.Empty);

        string manifest = File.ReadAllText(run.ManifestPath);
        File.WriteAllText(run.ManifestPath, manifest.Replace("keep_checkpoints=3", "method.gamma=0.5", StringComparison.Ordinal));
        Assert.That(() => run.ReadConfig<RunConfig>(), Throws.TypeOf<BadDataException>().With.Message.Contains("gamma, which cannot change within a run"));
    }
}

using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class FolderSealTests
{
    /// <summary>A folder inside with a seal of its own is not part of the outer one: it can be removed without breaking it.</summary>
    [Test]
    public void AnInnerSealStandsForItself()
    {
        using TemporaryFolder folder = new();
        folder.Write("a/rows", "rows");
        folder.Write("a/policy/weights", "weights");
        FolderSeal.Write(folder["a/policy"]);
        Assert.That(FolderSeal.Write(folder["a"]).Files.Select(f => f.Path), Is.EqualTo(new[] { "rows" }));
        folder.Write("a/policy/weights", "damaged");
        Assert.That(FolderSeal.Verify(folder["a"]), Is.Empty);
        Assert.That(FolderSeal.Verify(folder["a/policy"]), Has.Count.EqualTo(1));
        WholeFolder.Remove(folder["a/policy"]);
        Assert.That(FolderSeal.Verify(folder["a"]), Is.Empty);
    }

    [Test]
    public void KnownHashesAreTaken()
    {
        using TemporaryFolder folder = new();
        folder.Write("a/rows", "rows");
        FolderSeal seal = FolderSeal.Write(folder["a"], new Dictionary<string, string> { ["rows"] = Sha256.OfText("other") });
        Assert.That(seal.Files.Single().Sha256, Is.EqualTo(Sha256.OfText("other")));
        Assert.That(FolderSeal.Verify(folder["a"]), Has.Count.EqualTo(1));
    }

    [Test]
    public void ProblemsNeverThrows()
    {
        using TemporaryFolder folder = new();
        Assert.That(FolderSeal.Problems(folder["absent"]).Single(), Does.Contain("missing"));
        Directory.CreateDirectory(folder["a"]);
        Assert.That(FolderSeal.Problems(folder["a"]).Single(), Does.EndWith("it has no files.json, which is written last."));
        folder.Write("a/files.json", "{\"files\": [");
        Assert.That(FolderSeal.Problems(folder["a"]).Single(), Does.Contain("damaged"));
    }

    /// <summary>What an earlier removal left half-done goes along, and nothing there is nothing to do.</summary>
    [Test]
    public void RemovalFinishesWhatWasCutShort()
    {
        using TemporaryFolder folder = new();
        folder.Write("a.partial/left", "x");
        folder.Write("a/now", "y");
        WholeFolder.Remove(folder["a"]);
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
        folder.Write("a.partial/left", "x");
        WholeFolder.Remove(folder["a"]);
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
        WholeFolder.Remove(folder["a"]);
    }

    [Test]
    public void ARunThatCouldNotBeginLeavesNothing()
    {
        using TemporaryFolder folder = new();
        SampleConfig config = new() { Policy = "/models/tiny" };
        RunManifest manifest = new() { Seed = 1, Threads = 1 };
        RunDirectory.Create(folder["new/run"], config, manifest).Abandon();
        Assert.That(folder["new/run"], Does.Not.Exist);
        folder.Write("own/notes", "mine");
        RunDirectory.Create(folder["own"], config, manifest).Abandon();
        Assert.That(File.ReadAllText(folder["own/notes"]), Is.EqualTo("mine"), "a folder that held something is not removed");
    }

    [Test]
    public void AnEditedConfigurationIsNotGoneOnWith()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], new SampleConfig { Policy = "/models/tiny" }, new RunManifest { Seed = 1, Threads = 1 });
        run.CheckConfig();
        File.AppendAllText(run.ConfigPath, "# a note\n");
        Assert.That(() => run.CheckConfig(), Throws.TypeOf<BadDataException>().With.Message.Contains("changed after the run began"));
    }
}

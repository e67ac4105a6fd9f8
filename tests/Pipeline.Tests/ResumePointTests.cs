using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>Where a run with damaged files goes on, and that nothing else is touched by finding it.</summary>
[NonParallelizable]
public sealed class ResumePointTests
{
    private readonly List<string> _warnings = [];
    private RunDirectory _run = null!;

    [SetUp]
    public void Copy()
    {
        string folder = TinyRun.NewFolder("resume");
        _run = RunDirectory.OpenForReading(Folders.Copy(TinyRun.Run, Path.Combine(folder, "run")));
        Log.WarningTold += _warnings.Add;
    }

    [TearDown]
    public void Remove()
    {
        Log.WarningTold -= _warnings.Add;
        _warnings.Clear();
        Directory.Delete(Path.GetDirectoryName(_run.Root)!, recursive: true);
    }

    private ResumePoint Find(bool restart = false) => ResumePoint.Find(_run, _run.ReadConfig<RunConfig>(), restart);

    [Test]
    public void AWholeRunGoesOnAfterItsLastIteration()
    {
        Assert.That((Find().Iteration, Find().RestoresMetrics), Is.EqualTo((TinyRun.Iterations, false)));
        Assert.That(_warnings, Is.Empty);
    }

    // Cut, garbage, another list, one bit in the weights, a weights file that is gone.
    [TestCase("files.json", "{\"files\": ")]
    [TestCase("files.json", "\0\0\0")]
    [TestCase("files.json", "{\"files\": []}")]
    [TestCase("files.json", "")]
    [TestCase("metrics.jsonl", "{}")]
    [TestCase("state.json", "{}")]
    [TestCase("weights.safetensors", null)]
    public void ADamagedNewestCheckpointFallsBackAndSaysSo(string file, string? text)
    {
        string path = Path.Combine(_run.Checkpoint(3), file);
        if (text is null) FlipABit(path);
        else if (text.Length == 0) File.Delete(path);
        else File.WriteAllText(path, text);
        Assert.That(Find().Iteration, Is.EqualTo(2));
        Assert.That(_warnings.Single(), Does.StartWith("checkpoint 3 is damaged (").And.EndsWith("going back to the one before.").And.Contain(file == "files.json" ? "checkpoints/0003" : file));
    }

    /// <summary>Whole parts of a generation that was cut short stay; the one that was being written goes.</summary>
    [Test]
    public void FinishedPartsOfAGenerationStay()
    {
        string parts = Directory.CreateDirectory(Path.Combine(_run.Iteration(4).Folder, "rollouts.parquet.parts")).FullName;
        File.WriteAllText(Path.Combine(parts, "000000-a.parquet"), "whole");
        File.WriteAllText(Path.Combine(parts, "000001-b.parquet.partial"), "half");
        File.WriteAllText(Path.Combine(_run.Iteration(4).Folder, "rollouts.parquet.partial"), "half");
        ResumePoint.RemoveAfter(_run, 3);
        Assert.That(Directory.GetFiles(_run.Iteration(4).Folder, "*", SearchOption.AllDirectories).Select(Path.GetFileName), Is.EqualTo(["000000-a.parquet"]));
    }

    /// <summary>Checkpoints keep the metrics: metrics.jsonl that is gone, empty, cut or edited costs nothing but the times of the rows.</summary>
    [TestCase("gone", "1, 2, 3")]
    [TestCase("empty", "1, 2, 3")]
    [TestCase("cut", "3")]
    [TestCase("cut within a line", "2, 3")]
    [TestCase("edited", "2")]
    [TestCase("damaged", "2")]
    [TestCase("an unknown metric", "2")]
    [TestCase("a row twice", "")]
    public void LostMetricsComeFromTheCheckpoint(string what, string rows)
    {
        string[] lines = File.ReadAllLines(_run.MetricsPath);
        string[]? left = what switch
        {
            "gone" => null,
            "empty" => [],
            "cut" or "cut within a line" => lines[..2],
            "edited" => [lines[0], lines[1].Replace("\"score/mean\":", "\"score/mean\":1", StringComparison.Ordinal), lines[2]],
            "an unknown metric" => [lines[0], lines[1].Replace("{\"iteration\":2,", "{\"iteration\":2,\"made/up\":1,\"time/made_up\":1,", StringComparison.Ordinal), lines[2]],
            "a row twice" => [lines[0], lines[1], lines[1], lines[2]],
            _ => [lines[0], lines[1][..20], lines[2]],
        };
        if (left is null) File.Delete(_run.MetricsPath);
        else File.WriteAllText(_run.MetricsPath, string.Concat(left.Select(l => l + "\n"))[..^(what == "cut within a line" ? 9 : 0)]);
        ResumePoint found = Find();
        Assert.That((found.Iteration, found.RestoresMetrics), Is.EqualTo((3, true)));
        Assert.That(_warnings.Single(), Does.Contain("metrics.jsonl").And.Contain(rows.Length == 0 ? "The other rows are kept" : $"The rows of iterations {rows} are taken from checkpoint 3, without their times."));

        found.RestoreMetrics(_run);
        Assert.That(MetricsFile.WithoutTimes(_run.MetricsPath), Is.EqualTo(MetricsFile.WithoutTimes(Path.Combine(TinyRun.Run, "metrics.jsonl"))));
        string[] untouched = [.. File.ReadAllLines(_run.MetricsPath).Where(l => l.Contains("\"time/", StringComparison.Ordinal))];
        Assert.That(untouched, Is.EqualTo(lines.Where((_, i) => !rows.Contains($"{i + 1}", StringComparison.Ordinal))), "rows that are whole keep their times");
        Assert.That(Find().RestoresMetrics, Is.False);
    }

    /// <summary>A checkpoint of a version that kept no metrics in it is good as long as metrics.jsonl has its rows.</summary>
    [Test]
    public void ACheckpointWithoutMetricsNeedsThoseOfTheRun()
    {
        foreach (int i in _run.FinishedCheckpoints())
        {
            File.Delete(Path.Combine(_run.Checkpoint(i), CheckpointMetrics.FileName));
            FolderSeal.Write(_run.Checkpoint(i));
        }

        Assert.That(Find().Iteration, Is.EqualTo(3));
        File.WriteAllLines(_run.MetricsPath, File.ReadLines(_run.MetricsPath).Take(2).ToArray());
        Assert.That(Find().Iteration, Is.EqualTo(2));
        File.Delete(_run.MetricsPath);
        Assert.That(() => Find(), Throws.TypeOf<BadDataException>().With.Message.Contains("no whole checkpoint is left").And.Message.Contains("lacks rows"));
    }

    /// <summary>Without seals, or with the whole folder gone, a run that was far is never taken for one that did not begin.</summary>
    [TestCase("seals")]
    [TestCase("checkpoints")]
    [TestCase("checkpoints and metrics")]
    [TestCase("all but the result")]
    public void WhatIsLostIsNotRemovedWithoutBeingAsked(string lost)
    {
        if (lost == "seals")
        {
            foreach (int i in _run.FinishedCheckpoints()) File.Delete(Path.Combine(_run.Checkpoint(i), FolderSeal.FileName));
            File.Delete(_run.MetricsPath);
        }
        else
        {
            Directory.Delete(_run.CheckpointsFolder, recursive: true);
            if (lost != "checkpoints") File.Delete(_run.MetricsPath);
            if (lost == "all but the result") Directory.Delete(_run.IterationsFolder, recursive: true);
        }

        string[] before = Folders.FilesOf(_run.Root);
        Assert.That(() => Find(), Throws.TypeOf<BadDataException>().With.Message.Contains("no whole checkpoint is left").And.Message.Contains("--restart"));
        Assert.That(Folders.FilesOf(_run.Root), Is.EqualTo(before));
        Assert.That(Find(restart: true).Iteration, Is.Zero);
    }

    /// <summary>Killed before the first checkpoint was whole: nothing is lost but that iteration, and nobody is asked.</summary>
    [Test]
    public void ARunWithoutAFirstCheckpointBegins()
    {
        using (RunDirectory run = RunDirectory.OpenForWriting(_run.Root)) ResumePoint.RemoveAfter(run, 1);
        Directory.Delete(_run.FinalPolicyFolder, recursive: true);
        Directory.Move(_run.Checkpoint(1), _run.Checkpoint(1) + ".partial");
        File.WriteAllLines(_run.MetricsPath, File.ReadLines(_run.MetricsPath).Take(1).ToArray());
        Assert.That(Find().Iteration, Is.Zero);
        Assert.That(_warnings, Is.Empty);
    }

    [Test]
    public void WhereEveryCheckpointIsDamagedNothingIsThrownAway()
    {
        foreach (int i in _run.FinishedCheckpoints()) FlipABit(Path.Combine(_run.Checkpoint(i), "weights.safetensors"));
        string[] before = Folders.FilesOf(_run.Root);
        Assert.That(() => Find(), Throws.TypeOf<BadDataException>().With.Message.Contains("no whole checkpoint is left").And.Message.Contains("--restart"));
        Assert.That(Folders.FilesOf(_run.Root), Is.EqualTo(before));
        Assert.That(Find(restart: true).Iteration, Is.Zero);
    }

    [Test]
    public void WhatLiesAfterIsRemovedHalfMadeFoldersToo()
    {
        Directory.CreateDirectory(Path.Combine(_run.CheckpointsFolder, "0002.partial"));
        Directory.CreateDirectory(Path.Combine(_run.IterationsFolder, "0004"));
        ResumePoint.RemoveAfter(_run, 2);
        string[] Names(string folder) => [.. Directory.GetDirectories(folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        Assert.That(Names(_run.CheckpointsFolder), Is.EqualTo(new[] { "0001", "0002" }));
        Assert.That(Names(_run.IterationsFolder), Is.EqualTo(new[] { "0000", "0001", "0002" }));
    }

    /// <summary>A kill within the removal of old checkpoints leaves a renamed folder, which the next removal takes along.</summary>
    [Test]
    public void RemovalOfOldCheckpointsCanBeCutShort()
    {
        RunConfig config = _run.ReadConfig<RunConfig>() with { KeepCheckpoints = 1, KeepBest = "" };
        Directory.Move(_run.Checkpoint(1), _run.Checkpoint(1) + ".partial");
        File.Delete(Path.Combine(_run.Checkpoint(1) + ".partial", "state.json"));
        Retention.Prune(_run, config, MetricsFile.Read(_run.MetricsPath), 3);
        Assert.That(Directory.GetDirectories(_run.CheckpointsFolder).Select(Path.GetFileName), Is.EqualTo(new[] { "0003" }));
        Assert.That(_run.Inspect().Where(i => !i.IsFinished || i.Problems.Count > 0), Is.Empty, "the iterations' own seals do not speak of removed policies");
        Assert.That(Path.Combine(_run.Iteration(0).Policy, "model.onnx"), Does.Exist, "the reference stays");
    }

    /// <summary>Of a finished run every loss is named, whether a folder, a seal, a file without a seal or a row is gone.</summary>
    [TestCase("iterations/0002")]
    [TestCase("iterations/0001/files.json")]
    [TestCase("iterations/0003/policy")]
    [TestCase("iterations/0000/policy")]
    [TestCase("checkpoints/0003")]
    [TestCase("checkpoints/0002/files.json")]
    [TestCase("checkpoints")]
    [TestCase("policy")]
    [TestCase("weights/files.json")]
    [TestCase("evaluation/before")]
    [TestCase("evaluation/after/files.json")]
    [TestCase("metrics.jsonl")]
    [TestCase("tensorboard")]
    [TestCase("report.html")]
    public void WhatIsMissingIsNamed(string path)
    {
        Assert.That(RunInspection.Of(_run).Where(i => !i.IsFinished || i.Problems.Count > 0), Is.Empty);
        string full = Path.Combine(_run.Root, path);
        if (Directory.Exists(full)) Directory.Delete(full, recursive: true);
        else File.Delete(full);
        InspectedItem[] lost = [.. RunInspection.Of(_run).Where(i => i.Problems.Count > 0)];
        string item = path == "checkpoints" ? "checkpoints/0003" : path.Replace("/files.json", "", StringComparison.Ordinal);
        Assert.That(lost.Select(i => i.Path), Has.Member(item));
        Assert.That(lost.Single(i => i.Path == item).Problems[0], Does.Contain("missing").Or.Contains("has no files.json"));
    }

    [Test]
    public void AChangedRowIsNamed()
    {
        string[] lines = File.ReadAllLines(_run.MetricsPath);
        File.WriteAllLines(_run.MetricsPath, [lines[0], lines[1].Replace("\"score/mean\":", "\"score/mean\":1", StringComparison.Ordinal), lines[2]]);
        Assert.That(RunInspection.Of(_run).Single(i => i.Problems.Count > 0).Problems.Single(), Does.EndWith("rows of iterations 2 are missing or changed; checkpoint 3 has them."));
    }

    /// <summary>What can be done is told as it is: resume makes again what comes after the newest whole checkpoint, and nothing before it.</summary>
    [TestCase("checkpoints/0003/weights.safetensors", "goes on from checkpoint 2 and makes again what comes after it.")]
    [TestCase("iterations/0002/scored.parquet", "goes on from checkpoint 3 and makes again what comes after it. The files of iterations 2 it leaves as they are: './rlhf replay RUN --iteration 2 --out DIR' makes such an iteration again.")]
    [TestCase("config.resolved.yaml", "'rlhf resume' goes on only with manifest.json and config.resolved.yaml as they were: put them back from a copy.")]
    [TestCase("manifest.json", "'rlhf resume' goes on only with manifest.json and config.resolved.yaml as they were: put them back from a copy.")]
    [TestCase("checkpoints", "No checkpoint is whole: './rlhf resume RUN --restart' makes every iteration again.")]
    public void TheRemedyIsWhatResumeDoes(string damaged, string remedy)
    {
        string path = Path.Combine(_run.Root, damaged);
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        else FlipABit(path);
        if (damaged == "manifest.json") File.WriteAllText(path, "{");
        IReadOnlyList<InspectedItem> items = RunInspection.Of(_run);
        Assert.That(items.SelectMany(i => i.Problems), Is.Not.Empty.And.Unique);
        Assert.That(RunInspection.Remedy(_run, items), Does.EndWith(remedy.Replace("RUN", _run.Root, StringComparison.Ordinal)));
    }

    /// <summary>Nothing is missed of an iteration at work, nor what a smaller keep_checkpoints removed; the only checkpoint is.</summary>
    [Test]
    public void WhatIsRemovedOnPurposeIsNotMissed()
    {
        using (RunDirectory run = RunDirectory.OpenForWriting(_run.Root))
        {
            RunConfig config = run.ReadConfig<RunConfig>() with { KeepCheckpoints = 1, KeepBest = "" };
            run.RecordChanges(3, config);
            Retention.Prune(run, config, MetricsFile.Read(run.MetricsPath), 3);
            run.RecordChanges(3, config with { KeepCheckpoints = 2 });
        }

        Assert.That(RunInspection.Of(_run).Where(i => !i.IsFinished || i.Problems.Count > 0), Is.Empty);
        File.Delete(Path.Combine(_run.Root, "report.json"));
        Directory.Delete(_run.Checkpoint(3), recursive: true);
        Assert.That(RunInspection.Of(_run).Where(i => i.Problems.Count > 0).Select(i => i.Path), Is.EquivalentTo(new[] { "checkpoints/0002", "iterations/0002/policy" }), "iteration 3 may be at work, but nothing is left to go on from");
    }

    private static void FlipABit(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^10] ^= 4;
        File.WriteAllBytes(path, bytes);
    }
}

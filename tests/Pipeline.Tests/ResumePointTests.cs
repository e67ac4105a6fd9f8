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
        string folder = TinyRun.NewFolder($"resume-{Guid.NewGuid():N}");
        _run = RunDirectory.OpenForReading(Folders.Copy(TinyRun.Run, Path.Combine(folder, "run")));
        Log.WarningTold += _warnings.Add;
        Log.Writer = TextWriter.Null;
    }

    [TearDown]
    public void Remove()
    {
        Log.Writer = System.Console.Error;
        Log.WarningTold -= _warnings.Add;
        _warnings.Clear();
        Directory.Delete(Path.GetDirectoryName(_run.Root)!, recursive: true);
    }

    [Test]
    public void AWholeRunGoesOnAfterItsLastIteration()
    {
        Assert.That(ResumePoint.Find(_run, restart: false), Is.EqualTo(TinyRun.Iterations));
        Assert.That(_warnings, Is.Empty);
    }

    // Cut, garbage, another list, one bit in the weights, a weights file that is gone.
    [TestCase("files.json", "{\"files\": ")]
    [TestCase("files.json", "\0\0\0")]
    [TestCase("files.json", "{\"files\": []}")]
    [TestCase("state.json", "{}")]
    [TestCase("weights.safetensors", null)]
    public void ADamagedNewestCheckpointFallsBackAndSaysSo(string file, string? text)
    {
        string path = Path.Combine(_run.Checkpoint(3), file);
        if (text is null) FlipABit(path);
        else File.WriteAllText(path, text);
        Assert.That(ResumePoint.Find(_run, restart: false), Is.EqualTo(2));
        Assert.That(_warnings.Single(), Does.StartWith("checkpoint 3 is damaged (").And.EndsWith("going back to the one before.").And.Contain(file == "weights.safetensors" || file == "state.json" ? file : "checkpoints/0003"));
    }

    [Test]
    public void AnIterationWithoutMetricsIsMadeAgain()
    {
        File.WriteAllLines(_run.MetricsPath, File.ReadLines(_run.MetricsPath).Take(2).ToArray());
        Assert.That(ResumePoint.Find(_run, restart: false), Is.EqualTo(2));
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

    [Test]
    public void ADamagedLineOfMetricsFallsBackToBeforeIt()
    {
        string[] lines = File.ReadAllLines(_run.MetricsPath);
        lines[1] = lines[1][..20];
        File.WriteAllLines(_run.MetricsPath, lines);
        Assert.That(ResumePoint.Find(_run, restart: false), Is.EqualTo(1));
        Assert.That(_warnings, Has.Some.Contains("metrics.jsonl:2:"));
        using (var writer = new MetricsWriter(_run.MetricsPath, keepThrough: 1)) writer.Write(2, new Dictionary<string, double> { ["loss"] = 1 });
        Assert.That(MetricsFile.Read(_run.MetricsPath).Select(r => r.Iteration), Is.EqualTo(new[] { 1, 2 }), "the damaged line is gone");
    }

    [Test]
    public void WhereEveryCheckpointIsDamagedNothingIsThrownAway()
    {
        foreach (int i in _run.FinishedCheckpoints()) FlipABit(Path.Combine(_run.Checkpoint(i), "weights.safetensors"));
        string[] before = Folders.FilesOf(_run.Root);
        Assert.That(() => ResumePoint.Find(_run, restart: false), Throws.TypeOf<BadDataException>().With.Message.Contains("no whole checkpoint is left").And.Message.Contains("--restart"));
        Assert.That(Folders.FilesOf(_run.Root), Is.EqualTo(before));
        Assert.That(ResumePoint.Find(_run, restart: true), Is.Zero);
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

    private static void FlipABit(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^10] ^= 4;
        File.WriteAllBytes(path, bytes);
    }
}

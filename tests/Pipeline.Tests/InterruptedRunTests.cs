using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>Ctrl-C and SIGTERM finish the minibatch and checkpoint; resume goes on inside the iteration and ends with the bytes of a run that was left alone.</summary>
public sealed class InterruptedRunTests
{
    private const int Interrupted = 130;

    /// <summary>Four minibatches an iteration (16 responses, 8 a minibatch, 2 epochs): stopped within the second iteration's training, no minibatch is trained twice.</summary>
    [Test]
    public void ASignalInTrainingLosesNoMinibatch()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: sends POSIX signals");
        string run = Path.Combine(TinyRun.NewFolder("interrupted"), "run");
        List<string> told = [];
        Ended first = Signalled(told, "iteration 1: minibatch 2 of 4", "run", TinyRun.Config, "--set", $"output={run}");
        Assert.That(first.Code, Is.EqualTo(Interrupted), first.ToString());
        int done = told.Count(l => l.StartsWith("debug: iteration 1: minibatch", StringComparison.Ordinal));
        if (done < 4)
        {
            Assert.That(first.Error, Does.Contain($"Stopped in iteration 1, after minibatch {done} of 4, checkpointed; 0 of 3 iterations are safe. Go on with: ./rlhf resume {run}"));
            Ended inspected = Programs.Rlhf("inspect", run);
            Assert.That(inspected.Code, Is.Zero, inspected.ToString());
            Assert.That(inspected.Output, Does.Contain("unfinished/0001/checkpoint"));
        }

        Ended last = Signalled(told, "no such line", "resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        if (done < 4) Assert.That(last.Error, Does.Contain($"iteration 1 goes on after minibatch {done} of 4."));
        string[] stages = [.. told.Where(l => l.StartsWith("debug: iteration", StringComparison.Ordinal))];
        Assert.That(stages.Count(l => l.Contains("minibatch", StringComparison.Ordinal)), Is.EqualTo(4 * TinyRun.Iterations), "no minibatch twice");
        Assert.That(stages.Count(l => l.EndsWith("iteration 1: generation", StringComparison.Ordinal)), Is.EqualTo(1), "nothing drawn twice");
        Assert.That(stages.Count(l => l.EndsWith("iteration 1: scoring", StringComparison.Ordinal)), Is.EqualTo(1), "nothing scored twice");
        Equal(run);
    }

    /// <summary>A damaged checkpoint within the iteration, and a damaged file of an interrupted one, are made again: the same bytes.</summary>
    [Test]
    public void WhatIsDamagedIsMadeAgain()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: sends POSIX signals");
        string run = Path.Combine(TinyRun.NewFolder("damaged within"), "run"), unfinished = Path.Combine(run, "unfinished", "0002");
        Ended first = Signalled([], "iteration 2: optimization", "run", TinyRun.Config, "--set", $"output={run}");
        Assert.That(first.Code, Is.EqualTo(Interrupted), first.ToString());
        Assert.That(Path.Combine(unfinished, "checkpoint", "files.json"), Does.Exist, first.Error);
        Flip(Path.Combine(unfinished, "checkpoint", "weights.safetensors"));
        Flip(Path.Combine(run, "iterations", "0002", "scored.parquet"));
        List<string> told = [];
        Ended last = Signalled(told, "no such line", "resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        Assert.That(last.Error, Does.Contain("scored.parquet: its bytes changed after it was finished; it is made again").And.Contain("the checkpoint within iteration 2 is damaged"));
        Assert.That(told, Has.None.Contains("iteration 2: generation").And.Some.Contains("iteration 2: scoring"), "rollouts.parquet is whole");
        Equal(run);
    }

    /// <summary>SIGKILL leaves no checkpoint within the iteration; its files are taken all the same. With checkpoint_minutes there is one.</summary>
    [Test]
    public void AKillLosesTheTrainingAlone()
    {
        string run = Path.Combine(TinyRun.NewFolder("killed within"), "run");
        Assert.That(Programs.KillWhenThere(Path.Combine(run, "iterations", "0002", "trajectories.parquet"), "run", TinyRun.Config, "--set", $"output={run}"));
        bool isSafe = FolderSeal.Exists(Path.Combine(run, "checkpoints", "0002"));
        List<string> told = [];
        Ended last = Signalled(told, "no such line", "resume", run, "--set", "checkpoint_minutes=1e-6");
        Assert.That(last.Code, Is.Zero, last.ToString());
        if (!isSafe) Assert.That(told, Has.None.Contains("iteration 2: generation").And.None.Contains("iteration 2: scoring").And.Some.Contains("iteration 2: minibatch 1 of 4"));
        Equal(run);
    }

    internal static void Equal(string run)
    {
        foreach (string part in (string[])["iterations", "checkpoints", "evaluation", "weights", "policy"]) Folders.AreEqual(Path.Combine(run, part), Path.Combine(TinyRun.Run, part));
        Assert.That(MetricsFile.WithoutTimes(Path.Combine(run, "metrics.jsonl")), Is.EqualTo(MetricsFile.WithoutTimes(Path.Combine(TinyRun.Run, "metrics.jsonl"))));
        Assert.That(Path.Combine(run, "unfinished"), Does.Not.Exist);
    }

    private static void Flip(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 4;
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Runs with --log-level debug and sends SIGTERM when a line has been told.</summary>
    internal static Ended Signalled(List<string> told, string when, params string[] args)
    {
        using Process process = Programs.Start("dotnet", [Programs.Dll("Pipeline", "rlhf"), .. args, "--log-level", "debug"]);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        var error = new System.Text.StringBuilder();
        while (process.StandardError.ReadLine() is { } line)
        {
            error.AppendLine(line);
            told.Add(line);
            if (line.EndsWith(when, StringComparison.Ordinal) && OperatingSystem.IsLinux()) Signals.Send(process.Id, Signals.Terminate);
        }

        process.WaitForExit();
        return new Ended(process.ExitCode, output.Result, error.ToString());
    }
}

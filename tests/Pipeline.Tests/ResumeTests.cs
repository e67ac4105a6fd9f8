using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Pipeline.Tests;

/// <summary><c>rlhf resume</c>, <c>replay</c> and signals, over the built program.</summary>
public sealed class ResumeTests
{
    private const int Configuration = 2, Data = 3, Model = 4, Numerical = 5, Interrupted = 130;

    [Test]
    public void ARunWithADamagedCheckpointAndPolicyEndsWithTheSameBytes()
    {
        string run = CopyOfRun("damaged");
        File.WriteAllText(Path.Combine(run, "checkpoints", "0003", "files.json"), "{");
        File.WriteAllText(Path.Combine(run, "iterations", "0002", "policy", "model.onnx"), "no model");
        File.WriteAllText(Path.Combine(run, "iterations", "0000", "policy", "scorer.onnx"), "no model");
        File.WriteAllText(Path.Combine(run, "evaluation", "before", "scored.parquet"), "no table");
        Ended ended = Programs.Rlhf("resume", run);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Error, Does.Contain("checkpoint 3 is damaged").And.Contain("the policy of iteration 2 is damaged")
            .And.Contain("0000/policy is damaged").And.Contain("the evaluation before the run is damaged"));
        Assert.That(ended.Output, Does.Contain("resuming after iteration 2 of 3"));
        Equal(run);
    }

    /// <summary>SIGTERM lets a run stop at a safe point and say how to go on; a second one ends it at once. Neither does harm.</summary>
    [Test]
    public void SignalsStopARunWithoutHarm()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: sends POSIX signals");
        string run = Path.Combine(TinyRun.NewFolder("signals"), "run");
        Ended first = Signalled(1, Path.Combine(run, "iterations", "0001", "rollouts.parquet"), "run", TinyRun.Config, "--set", $"output={run}");
        Assert.That(first.Code, Is.EqualTo(Interrupted), first.ToString());
        Assert.That(first.Error, Does.Contain("finishing at the next safe point").And.Contain($"Go on with: ./rlhf resume {run}"));
        Ended second = Signalled(2, Path.Combine(run, "checkpoints", "0001"), "resume", run);
        Assert.That(second.Code, Is.EqualTo(Interrupted), second.ToString());
        Ended last = Programs.Rlhf("resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        Equal(run);
    }

    /// <summary>Asked for once, a restart is one: killed in its first iteration, it goes on without being asked again, though the old result lay there.</summary>
    [Test]
    public void ARestartThatIsKilledGoesOn()
    {
        string run = CopyOfRun("restarted");
        Directory.Delete(Path.Combine(run, "checkpoints"), recursive: true);
        File.Delete(Path.Combine(run, "iterations", "0001", "rollouts.parquet"));
        Programs.KillWhenThere(Path.Combine(run, "iterations", "0001", "rollouts.parquet"), "resume", run, "--restart");
        Ended ended = Programs.Rlhf("resume", run);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Equal(run);
    }

    [Test]
    public void WhatCannotChangeIsRefusedWithTheDifference()
    {
        Ended ended = Programs.Rlhf("resume", TinyRun.Run, "--set", "method.gamma=0.5", "--set", "keep_checkpoints=7", "--dry-run");
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        Assert.That(ended.Error, Does.Contain("gamma was 1 and would become 0.5; it cannot change within a run").And.Not.Contain("keep_checkpoints"));
        Ended safe = Programs.Rlhf("resume", TinyRun.Run, "--set", "keep_checkpoints=7", "--dry-run");
        Assert.That(safe.Code, Is.Zero, safe.ToString());
        Assert.That(safe.Output, Does.Contain("would resume after iteration 3 of 3"));
    }

    [Test]
    public void AnEditedConfigurationIsRefused()
    {
        string run = CopyOfRun("edited");
        string config = Path.Combine(run, "config.resolved.yaml");
        File.WriteAllText(config, File.ReadAllText(config).Replace("seed: 5", "seed: 6", StringComparison.Ordinal));
        Ended ended = Programs.Rlhf("resume", run);
        Assert.That(ended.Code, Is.EqualTo(Data), ended.ToString());
        Assert.That(ended.Error, Does.Contain("config.resolved.yaml: changed after the run began"));
    }

    [Test]
    public void ASecondProcessIsKeptOut()
    {
        string run = CopyOfRun("locked");
        using (RunDirectory.OpenForWriting(run))
        {
            Ended ended = Programs.Rlhf("resume", run);
            Assert.That(ended.Code, Is.EqualTo(Data), ended.ToString());
            Assert.That(ended.Error, Does.Contain("is in use by process"));
        }
    }

    [Test]
    public void APolicyThatCannotBeUsedLeavesNoDirectory()
    {
        string policy = Folders.Copy(TinyRun.Policy, Path.Combine(TinyRun.Folder, "bad-policy")), run = Path.Combine(TinyRun.Folder, "bad-policy-run");
        using (FileStream weights = File.OpenWrite(Path.Combine(policy, "model.safetensors"))) weights.SetLength(weights.Length - 100);
        Ended ended = Programs.Rlhf("run", TinyRun.Config, "--set", $"output={run}", "--set", $"policy={policy}");
        Assert.That(ended.Code, Is.EqualTo(Model), ended.ToString());
        Assert.That(run, Does.Not.Exist);
    }

    [Test]
    public void AnIterationIsMadeAgainByteForByte()
    {
        Ended ended = Programs.Rlhf("replay", TinyRun.Run, "--iteration", "2");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        foreach (string item in (string[])["prompts.jsonl", "rollouts.parquet", "scored.parquet", "trajectories.parquet", "policy/model.onnx.data", "checkpoint/weights.safetensors"])
            Assert.That(ended.Output.Split('\n'), Has.Some.Match($"^\\| {item} +\\| equal"), ended.Output);
    }

    /// <summary>Files of an older replay would be compared, and trained on, with those of this one.</summary>
    [Test]
    public void AReplayGoesIntoAnEmptyFolderOutsideTheRun()
    {
        string used = TinyRun.NewFolder("used");
        File.WriteAllText(Path.Combine(used, "scored-1.parquet"), "old");
        foreach ((string folder, string expected) in ((string, string)[])[(used, "is there and not empty"), (Path.Combine(TinyRun.Run, "again"), "which is only read"), (TinyRun.Run, "which is only read")])
        {
            Ended ended = Programs.Rlhf("replay", TinyRun.Run, "--iteration", "1", "--out", folder);
            Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
            Assert.That(ended.Error, Does.Contain(expected));
        }
    }

    [Test]
    public void AReplayTellsWhatDiffersAndWhichIterationsCanBeMadeAgain()
    {
        string run = CopyOfRun("replayed");
        string file = Path.Combine(run, "iterations", "0001", "rollouts.parquet");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[200] ^= 1;
        File.WriteAllBytes(file, bytes);
        Ended ended = Programs.Rlhf("replay", run, "--iteration", "1");
        Assert.That(ended.Code, Is.EqualTo(Numerical), ended.ToString());
        Assert.That(ended.Output, Does.Contain("differs from byte 200 of"));
        Directory.Delete(Path.Combine(run, "iterations", "0002", "policy"), recursive: true);
        Ended removed = Programs.Rlhf("replay", run, "--iteration", "3");
        Assert.That(removed.Code, Is.EqualTo(Data), removed.ToString());
        Assert.That(removed.Error, Does.Contain("Iterations that can be made again: 1, 2"));
    }

    /// <summary>A small part of `rlhf bench fuzz`: every parser gets some damaged inputs.</summary>
    [Test]
    public void DamagedInputsEndInTypedErrors()
    {
        Ended ended = Programs.Rlhf("bench", "fuzz", "--seed", "11", "--count", "280");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Output, Does.Contain("280 mutations").And.Contain("0 findings"));
    }

    /// <summary>
    /// A moment of 10³⁸ in a checkpoint makes the next step's weights infinite (or too large to be squared). The run stops in that step with the tensor named; with
    /// recovery it goes back to the checkpoint, where a learning rate of next to nothing gets over it.
    /// </summary>
    [Test]
    public void ANumericalFailureStopsTheRunOrStepsBack()
    {
        string run = WithAHugeMoment("infinite");
        Ended stopped = Programs.Rlhf("resume", run);
        Assert.That(stopped.Code, Is.EqualTo(Numerical), stopped.ToString());
        Assert.That(stopped.Error, Does.Contain("Iteration 2, rows ").And.Contain("not finite after optimiser step").And.Contain("the weight model.embed_tokens.weight").And.Contain("1 of 3 iterations are safe. When the cause is mended, go on with: ./rlhf resume")
            .And.Contain("--set recovery.steps_back=2"));

        Ended recovered = Programs.Rlhf(["resume", run, .. Recovery]);
        Assert.That(recovered.Code, Is.Zero, recovered.ToString());
        Assert.That(recovered.Error, Does.Contain("Stepping back to checkpoint 1 with 1E-38 of its learning rate (attempt 1 of 1)"));
        Assert.That(File.ReadAllText(Path.Combine(run, "checkpoints", "0003", "state.json")), Does.Contain("\"LearningRateFactor\": 1E-38"));

        // Stopped right after it stepped back: the values given to the first resume hold for the second, and its warnings are in the report.
        if (!OperatingSystem.IsLinux()) return;
        string again = WithAHugeMoment("infinite again");
        Ended interrupted = InterruptedRunTests.Signalled([], "(attempt 1 of 1).", ["resume", again, .. Recovery]);
        Assert.That(interrupted.Code, Is.EqualTo(Interrupted), interrupted.ToString());
        Ended last = Programs.Rlhf("resume", again);
        Assert.That(last.Code, Is.Zero, last.ToString());
        foreach (string part in (string[])["iterations", "checkpoints", "weights"]) Folders.AreEqual(Path.Combine(again, part), Path.Combine(run, part));
        using RunDirectory directory = RunDirectory.OpenForReading(again);
        ConfigChange change = directory.ReadManifest().Changes.Single();
        Assert.That((change.AfterIteration, string.Join(' ', change.Set.Select(s => s.Split('=')[0]))), Is.EqualTo((1, "recovery.steps_back recovery.learning_rate_factor")));
        Assert.That(directory.ReadConfig<RunConfig>().Recovery.StepsBack, Is.EqualTo(1));
        Assert.That(RunWarnings.Read(directory.WarningsPath).Count(w => w.Contains("Stepping back", StringComparison.Ordinal)), Is.EqualTo(1));
        Assert.That(File.ReadAllText(Path.Combine(again, "report.json")), Does.Contain("Stepping back to checkpoint 1"));
        Assert.That(Programs.Rlhf("inspect", again).Code, Is.Zero);
    }

    private static readonly string[] Recovery = ["--set", "recovery.steps_back=1", "--set", "recovery.learning_rate_factor=1e-38"];

    // After its first iteration, with a moment of 10³⁸ in the checkpoint.
    private static string WithAHugeMoment(string name)
    {
        string run = CopyOfRun(name), checkpoint = Path.Combine(run, "checkpoints", "0001"), weights = Path.Combine(checkpoint, "weights.safetensors"), state = Path.Combine(checkpoint, "state.json");
        using (RunDirectory directory = RunDirectory.OpenForWriting(run)) ResumePoint.RemoveAfter(directory, 1);
        string oldHash = Sha256.OfFile(weights);
        long offset;
        using (SafetensorsReader reader = SafetensorsReader.Open(weights)) offset = reader.Entry("policy.first_moment").Offset;
        using (FileStream file = File.OpenWrite(weights))
        {
            file.Seek(offset, SeekOrigin.Begin);
            file.Write(BitConverter.GetBytes(1e38f));
        }

        File.WriteAllText(state, File.ReadAllText(state).Replace(oldHash, Sha256.OfFile(weights), StringComparison.Ordinal));
        FolderSeal.Write(checkpoint);
        return run;
    }

    private static string CopyOfRun(string name) => Folders.Copy(TinyRun.Run, Path.Combine(TinyRun.NewFolder(name), "run"));

    private static void Equal(string run)
    {
        foreach (string part in (string[])["iterations", "checkpoints", "evaluation", "weights", "policy"]) Folders.AreEqual(Path.Combine(run, part), Path.Combine(TinyRun.Run, part));
        Assert.That(MetricsFile.WithoutTimes(Path.Combine(run, "metrics.jsonl")), Is.EqualTo(MetricsFile.WithoutTimes(Path.Combine(TinyRun.Run, "metrics.jsonl"))));
    }

    private static Ended Signalled(int times, string whenThere, params string[] args)
    {
        Process process = Programs.Start("dotnet", [Programs.Dll("Pipeline", "rlhf"), .. args]);
        while (!process.HasExited && !Path.Exists(whenThere)) Thread.Sleep(1);
        for (int i = 0; i < times && OperatingSystem.IsLinux(); i++) Signals.Send(process.Id, Signals.Terminate);
        return Programs.End(process);
    }
}

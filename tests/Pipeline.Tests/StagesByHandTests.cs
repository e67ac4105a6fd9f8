namespace Rlhf.Pipeline.Tests;

/// <summary>The three executables, called by hand with what iteration 1 had, give the bytes of iteration 1.</summary>
public sealed class StagesByHandTests
{
    [Test]
    public void GenerateScoreAndOptimizeGiveTheBytesOfTheLoop()
    {
        string folder = TinyRun.NewFolder("by-hand"), start = TinyRun.Iteration(0, "policy");
        string rollouts = Path.Combine(folder, "rollouts.parquet"), scored = Path.Combine(folder, "scored.parquet"), trajectories = Path.Combine(folder, "trajectories.parquet");
        string policy = Path.Combine(folder, "policy"), checkpoint = Path.Combine(folder, "checkpoint");

        Done(Programs.Generate(
            "--policy", start, "--prompts", TinyRun.Iteration(1, "prompts.jsonl"), "--out", rollouts, "--max-new-tokens", $"{TinyRun.MaxNewTokens}", "--seed", "5", "--iteration", "1", "--threads", "1"));
        Same(rollouts, TinyRun.Iteration(1, "rollouts.parquet"));
        Done(Programs.Score("--in", rollouts, "--out", scored, "--rule", TinyRun.Rule, "--reference", start, "--threads", "1"));
        Same(scored, TinyRun.Iteration(1, "scored.parquet"));
        Done(Programs.Optimize("ppo", "--config", TinyRun.Config, "--in", scored, "--trajectories", trajectories, "--policy-out", policy, "--checkpoint-out", checkpoint));
        Same(trajectories, TinyRun.Iteration(1, "trajectories.parquet"));
        Folders.AreEqual(policy, TinyRun.Iteration(1, "policy"));
        IsTheLoops(checkpoint);
    }

    /// <summary>Killed while it trains, the same command goes on where it stopped and ends with the loop's bytes.</summary>
    [Test]
    public void AKilledOptimizationGoesOnWithinTheIteration()
    {
        string folder = TinyRun.NewFolder("optimize killed"), checkpoint = Path.Combine(folder, "checkpoint"), trajectories = Path.Combine(folder, "trajectories.parquet");
        string[] args =
        [
            "ppo", "--config", TinyRun.Config, "--set", "checkpoint_minutes=1e-6", "--in", TinyRun.Iteration(1, "scored.parquet"), "--trajectories", trajectories,
            "--policy-out", Path.Combine(folder, "policy"), "--checkpoint-out", checkpoint,
        ];
        bool killed = Programs.KillWhenThere(Programs.Dll("Optimization", "rlhf-optimize"), Path.Combine(checkpoint + ".unfinished", "files.json"), args) && !Directory.Exists(checkpoint);
        Ended last = Programs.Optimize(args);
        Done(last);
        if (killed) Assert.That(last.Error, Does.Match(@"iteration 1 goes on (before the first of 4 minibatches|after minibatch [1-4] of 4)\."));
        Same(trajectories, TinyRun.Iteration(1, "trajectories.parquet"));
        Folders.AreEqual(Path.Combine(folder, "policy"), TinyRun.Iteration(1, "policy"));
        IsTheLoops(checkpoint);
        Assert.That(checkpoint + ".unfinished", Does.Not.Exist);
    }

    [Test]
    public void GenerateTakesItsOptionsFromTheRunsConfiguration()
    {
        string rollouts = Path.Combine(TinyRun.NewFolder("by-config"), "rollouts.parquet");
        Done(Programs.Generate("--config", TinyRun.Config, "--policy", TinyRun.Iteration(1, "policy"), "--prompts", TinyRun.Iteration(2, "prompts.jsonl"), "--out", rollouts, "--iteration", "2"));
        Same(rollouts, TinyRun.Iteration(2, "rollouts.parquet"));
    }

    private static void Done(Ended ended) => Assert.That(ended.Code, Is.Zero, ended.ToString());

    private static void Same(string mine, string loops) => Assert.That(File.ReadAllBytes(mine).AsSpan().SequenceEqual(File.ReadAllBytes(loops)), $"{mine} differs from {loops}");

    // The loop's checkpoint holds its metrics besides, and its seal lists them.
    private static void IsTheLoops(string checkpoint)
    {
        foreach (string file in (string[])["weights.safetensors", "state.json"])
            Assert.That(File.ReadAllBytes(Path.Combine(checkpoint, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(TinyRun.Run, "checkpoints", "0001", file))), file);
    }
}

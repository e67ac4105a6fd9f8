using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Tests;

/// <summary>What other methods than PPO ask of the loop: further rounds of drawing, greedy responses of policy and reference.</summary>
public sealed class MethodRunTests
{
    // The file's section is called ppo, the former name; overrides use today's.
    private static readonly string[] Dapo =
    [
        "--set", "iterations=2", "--set", "method.name=dapo", "--set", "method.overlong_buffer=0", "--set", "generation.samples_per_prompt=2", "--set", "generation.prompts_per_iteration=8",
        "--set", "generation.max_new_tokens=4",
    ];

    [Test]
    public void DynamicSamplingDrawsFurtherRoundsAndGoesOnAfterAKill()
    {
        string run = Path.Combine(TinyRun.Folder, "dapo"), killed = Path.Combine(TinyRun.Folder, "dapo-killed");
        Ended ended = Programs.Rlhf(["run", TinyRun.Config, .. Dapo, "--set", $"output={run}"]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        string first = Path.Combine(run, "iterations", "0001");
        // Nearly all responses of this length have 4 tokens and score alike: prompts are left out and others drawn.
        Assert.That(Path.Combine(first, "scored-1.parquet"), Does.Exist);
        int rows = ScoredFile.Read(Path.Combine(first, "scored*.parquet")).Count();
        Assert.That(rows, Is.GreaterThan(16));
        Assert.That(TrajectoryFile.Read(Path.Combine(first, "trajectories.parquet")).Count(), Is.EqualTo(rows), "every response is audited");
        Assert.That(MetricsFile.Read(Path.Combine(run, "metrics.jsonl"))[0].Values["rollout/left_out_share"], Is.GreaterThan(0));

        Assert.That(Programs.KillWhenThere(Path.Combine(killed, "iterations/0002/scored-1.parquet"), ["run", TinyRun.Config, .. Dapo, "--set", $"output={killed}"]));
        ended = Programs.Rlhf("resume", killed);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Folders.AreEqual(Path.Combine(killed, "iterations"), Path.Combine(run, "iterations"));
        Folders.AreEqual(Path.Combine(killed, "checkpoints"), Path.Combine(run, "checkpoints"));
    }

    [Test]
    public void GreedyResponsesAreDrawnAndTheStageByHandGivesTheSameBytes()
    {
        string run = Path.Combine(TinyRun.Folder, "remax"), first = Path.Combine(run, "iterations", "0001"), hand = TinyRun.NewFolder("remax by hand");
        string[] set = ["--set", "iterations=1", "--set", "method.name=remax", "--set", "method.epochs=1", "--set", "method.reward_baseline=reference", "--set", $"output={run}"];
        Ended ended = Programs.Rlhf(["run", TinyRun.Config, .. set]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        string greedy = Path.Combine(first, "baselines", "scored-greedy.parquet"), reference = Path.Combine(first, "baselines", "scored-reference.parquet");
        // Before the first update the policy is the reference: both greedy responses are the same.
        Assert.That(Responses(greedy), Is.EqualTo(Responses(reference)));
        ended = Programs.Optimize([
            "remax", "--config", Path.Combine(run, "config.resolved.yaml"), "--in", Path.Combine(first, "scored.parquet"), "--greedy", greedy, "--reference-responses", reference,
            "--trajectories", Path.Combine(hand, "trajectories.parquet"), "--checkpoint-out", Path.Combine(hand, "checkpoint"), "--policy-out", Path.Combine(hand, "policy")]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(File.ReadAllBytes(Path.Combine(hand, "trajectories.parquet")), Is.EqualTo(File.ReadAllBytes(Path.Combine(first, "trajectories.parquet"))));

        ended = Programs.Optimize([
            "grpo", "--config", Path.Combine(run, "config.resolved.yaml"), "--in", Path.Combine(first, "scored.parquet"),
            "--trajectories", Path.Combine(hand, "x.parquet"), "--checkpoint-out", Path.Combine(hand, "x"), "--policy-out", Path.Combine(hand, "y")]);
        Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
        Assert.That(ended.Error, Does.Contain("method.name is remax; it must be grpo"));
    }

    [Test]
    public void AContradictionIsExitCode2()
    {
        Ended ended = Programs.Rlhf("run", TinyRun.Config, "--set", "method.name=grpo", "--set", "output=never");
        Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
        Assert.That(ended.Error, Does.Contain("generation.samples_per_prompt is 1 (default); it must be at least 2: grpo compares"));
    }

    [Test]
    public void TheSentimentBenchKnowsEveryShippedConfiguration()
    {
        Ended ended = Programs.Rlhf("bench", "sentiment", "--dry-run");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        foreach (MethodName name in Enum.GetValues<MethodName>()) Assert.That(ended.Output, Does.Contain(MethodConfig.KeyOf(name)));
        ended = Programs.Rlhf("bench", "sentiment", "--only", "grop", "--out", TinyRun.NewFolder("bench"));
        Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
        Assert.That(ended.Error, Does.Contain("grop").And.Contain("grpo"));
    }

    private static string[] Responses(string file) => [.. ScoredFile.Read(file).Select(r => r.Rollout.PromptId + r.Rollout.Response)];
}

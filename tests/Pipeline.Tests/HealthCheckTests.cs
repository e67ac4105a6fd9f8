using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>Warnings: what is told, once, with the likely cause.</summary>
public sealed class HealthCheckTests
{
    private static Dictionary<string, double> Row(params (string Name, double Value)[] changes)
    {
        Dictionary<string, double> row = new()
        {
            ["policy/ratio_max"] = 3, ["policy/approx_kl"] = 0.01, ["kl/k3_per_token"] = 0.05, ["kl/k1_per_token"] = 0.04, ["entropy"] = 2.5, ["score/min"] = -1, ["score/max"] = 2,
            ["rollout/length_mean"] = 40, ["rollout/engine_logprob_gap_max"] = 1e-5,
        };
        foreach ((string name, double value) in changes) row[name] = value;
        return row;
    }

    [Test]
    public void AHealthyIterationIsSilent() => Assert.That(new HealthCheck(new RunConfig()).Look(1, Row()), Is.Empty);

    // Single tokens of small probability reach large ratios in healthy runs; the demo's reach some hundreds.
    [Test]
    public void OneLargeRatioIsNoNews() => Assert.That(new HealthCheck(new RunConfig()).Look(1, Row(("policy/ratio_max", 877), ("policy/approx_kl", 0.11))), Is.Empty);

    [TestCase("policy/ratio_max", 5000, "learning_rate")]
    [TestCase("policy/approx_kl", 0.9, "method.target_kl")]
    [TestCase("kl/k3_per_token", 0.8, "guards.kl_budget")]
    [TestCase("kl/k1_per_token", -0.1, "negative")]
    [TestCase("entropy", 0.4, "collapses")]
    [TestCase("reward/clip_share", 0.2, "method.reward_clip = 10 cuts 20 % of them")]
    [TestCase("reward/clip_share", 0.01, "transform: sigmoid")]
    [TestCase("rollout/length_mean", 100, "pays for length")]
    [TestCase("rollout/length_mean", 15, "cheap in KL")]
    [TestCase("rollout/engine_logprob_gap_max", 0.2, "exported policy")]
    public void EachTroubleIsToldWithItsLikelyCause(string metric, double value, string word)
    {
        var health = new HealthCheck(new RunConfig());
        Assert.That(health.Look(1, Row()), Is.Empty);
        Assert.That(health.Look(2, Row((metric, value))).Single(), Does.StartWith("iteration 2: ").And.Contain(word).And.Contain("Most likely").Or.Contain("negative"));
    }

    /// <summary>What is cut is cut after scaling and normalisation: large scores alone say nothing.</summary>
    [Test]
    public void LargeScoresThatNothingCutsAreNoNews()
    {
        Assert.That(new HealthCheck(new RunConfig()).Look(1, Row(("score/max", 30), ("reward/clip_share", 0))), Is.Empty);
        Assert.That(new HealthCheck(new RunConfig { Guards = new GuardConfig { ScoreLimit = 20 } }).Look(1, Row(("score/max", 30))).Single(), Does.Contain("beyond ±20 (guards.score_limit)"));
    }

    [Test]
    public void WhatStaysIsToldAgainOnlyAfterAWhile()
    {
        var health = new HealthCheck(new RunConfig());
        int[] told = [.. Enumerable.Range(1, 25).Where(i => health.Look(i, Row(("kl/k3_per_token", 0.8))).Count > 0)];
        Assert.That(told, Is.EqualTo(new[] { 1, 11, 21 }));
    }

    [Test]
    public void ZeroTurnsABoundOff()
    {
        var off = new RunConfig { Guards = new GuardConfig { RatioLimit = 0, UpdateKlLimit = 0, KlBudget = 0, EntropyShare = 0, LengthFactor = 0 }, Method = new MethodConfig { RewardClip = 0 } };
        var health = new HealthCheck(off);
        health.Look(1, Row());
        Assert.That(health.Look(2, Row(("policy/ratio_max", 1e9), ("policy/approx_kl", 9), ("kl/k3_per_token", 9), ("entropy", 0), ("score/max", 1e9), ("rollout/length_mean", 1e4))), Is.Empty);
    }
}

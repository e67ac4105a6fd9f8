using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Tests;

public sealed class RolloutStatisticsTests
{
    /// <summary>Bigrams 12 21 12 | 21: 2 of 4, none across responses. Unigrams 2 of 6.</summary>
    [Test]
    public void DistinctGramsDoNotCrossResponses()
    {
        int[][] responses = [[1, 2, 1, 2], [], [2, 1]];
        Assert.That((RolloutStatistics.Distinct(responses, 1), RolloutStatistics.Distinct(responses, 2), RolloutStatistics.Distinct(responses, 5)), Is.EqualTo((2.0 / 6, 0.5, 0.0)));
    }

    /// <summary>Grams whose ids give one number under key = key · 1,000,003 + id + 1 are different all the same.</summary>
    [Test]
    public void DifferentGramsAreNeverOne() => Assert.That(RolloutStatistics.Distinct([[0, 1_000_003], [1, 0]], 2), Is.EqualTo(1));

    /// <summary>d = log π − log π_ref = ½ and 0 on two of three tokens: k3 = e^−½ − 1 + ½ on the first. The row without reference does not count.</summary>
    [Test]
    public void KlIsThePerTokenMeanOverRowsWithAReference()
    {
        ScoredRollout[] rows = [Row([-1, -1], reference: [-1.5f, -1]), Row([-2], reference: [-2]), Row([-9], reference: null)];
        Assert.That(RolloutStatistics.KlPerToken(rows), Is.EqualTo((Math.Exp(-0.5) - 0.5) / 3).Within(1e-12));
        Assert.That(RolloutStatistics.KlPerToken([Row([-9], reference: null)]), Is.NaN);
    }

    /// <summary>A token that the policy cannot draw is cut at 20 nats and does not become infinite.</summary>
    [Test]
    public void ABrokenTokenStaysFinite() =>
        Assert.That(RolloutStatistics.KlPerToken([Row([-1000], reference: [-1])]), Is.EqualTo(Math.Exp(20) - 21).Within(1e-3));

    /// <summary>Rewards 1, 2, 6: mean 3, deviation √((4 + 1 + 9) / 2); a reward that one row has: deviation 0.</summary>
    [Test]
    public void RewardsAreToldByName()
    {
        ScoredRollout[] rows =
        [
            Row([-1], null, ("a", 1)), Row([-1], null, ("a", 2), ("b", 0.5)), Row([-1], null, ("a", 6)),
        ];
        rows[2] = rows[2] with { Rollout = rows[2].Rollout with { FinishReason = FinishReason.Length } };
        Dictionary<string, double> metrics = RolloutStatistics.Of(rows);
        Assert.That(metrics, Is.EqualTo(new Dictionary<string, double>
        {
            ["rollout/eos_share"] = 2.0 / 3, ["rollout/distinct_1"] = 1.0 / 3, ["rollout/distinct_2"] = 0,
            ["reward/a/mean"] = 3, ["reward/a/std"] = Math.Sqrt(7), ["reward/b/mean"] = 0.5, ["reward/b/std"] = 0,
        }).Within(1e-12));
    }

    private static ScoredRollout Row(float[] policy, float[]? reference, params (string Name, double Value)[] rewards) => new(
        new Rollout
        {
            Iteration = 1, PromptId = "0", SampleId = 0, Prompt = "p", Response = "r", PromptTokens = [1], ResponseTokens = [.. policy.Select(_ => 5)],
            FinishReason = FinishReason.Eos, RolloutLogprobs = policy, PolicyLogprobs = policy, PolicyHash = "hash", Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
        },
        new RowScores { ReferenceLogprobs = reference, Rewards = rewards.ToDictionary(r => r.Name, r => r.Value), Score = 0 });
}

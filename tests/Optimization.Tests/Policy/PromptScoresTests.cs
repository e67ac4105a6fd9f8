using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

/// <summary>What ReMax and the baseline reward subtract, where rewards did not apply to every response.</summary>
public sealed class PromptScoresTests
{
    private static ScoredRollout Row(string prompt, double? score) => new(
        new Rollout
        {
            Iteration = 1, PromptId = prompt, SampleId = 0, Prompt = "a", Response = "b", PromptTokens = [5], ResponseTokens = [6, 7], FinishReason = FinishReason.Length,
            RolloutLogprobs = [-1, -1], PolicyLogprobs = [-1, -1], PolicyHash = "", Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
        },
        new RowScores { Score = score, ReferenceLogprobs = [-1, -1] });

    [Test]
    public void APromptWithoutAScoredBaselineIsLeftOut()
    {
        IReadOnlyDictionary<string, double> greedy = PromptScores.Of([Row("x", 2), Row("x", 4), Row("y", null), Row("z", 1), Row("z", null)]);
        Assert.That(greedy, Is.EquivalentTo(new Dictionary<string, double> { ["x"] = 3, ["y"] = double.NaN, ["z"] = 1 }));
        ScoredRollout[] rows = [Row("x", 1), Row("y", 1), Row("z", 1)];
        TrajectoryBatch batch = TrajectoryRows.ToBatch(rows, Tiny.Config);
        new PromptScores(greedy, null).Fill(batch, rows);
        Assert.That(batch.Scored, Is.EqualTo(new[] { true, false, true }));
        Assert.That(batch.GreedyScores, Is.EqualTo(new double[] { 3, 0, 1 }));
        Assert.That(batch.ResponseMask.Count(m => m), Is.EqualTo(4));
    }

    [Test]
    public void NothingLeftOrAPromptThatIsMissingIsAnError()
    {
        ScoredRollout[] rows = [Row("x", 1)];
        Assert.That(
            () => new PromptScores(null, PromptScores.Of([Row("x", null)])).Fill(TrajectoryRows.ToBatch(rows, Tiny.Config), rows),
            Throws.TypeOf<BadDataException>().With.Message.Contains("scored reference response: there is nothing to train on"));
        Assert.That(
            () => new PromptScores(PromptScores.Of([Row("y", 1)]), null).Fill(TrajectoryRows.ToBatch(rows, Tiny.Config), rows),
            Throws.TypeOf<BadDataException>().With.Message.Contains("prompt 'x' has no greedy response"));
    }
}

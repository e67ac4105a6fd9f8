using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

public sealed class TrajectoryRowsTests
{
    private static readonly ScoredRollout Row = new(
        new Rollout
        {
            Iteration = 1, PromptId = "p", SampleId = 3, Prompt = "", Response = "", PromptTokens = [4, 5], ResponseTokens = [6, 7, 2], FinishReason = FinishReason.Eos,
            RolloutLogprobs = [-1, -2, -3], PolicyLogprobs = [-1.5f, -2.5f, -3.5f], PolicyHash = "", Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
        },
        new RowScores { Score = 0.5, ReferenceLogprobs = [-4, -5, -6] });

    [Test]
    public void ColumnsBecomeFlatArrays()
    {
        TrajectoryBatch batch = TrajectoryRows.ToBatch([Row, Row with { Scores = Row.Scores with { Score = 2 } }], Tiny.Config);
        Assert.Multiple(() =>
        {
            Assert.That(batch.Offsets, Is.EqualTo(new[] { 0, 3, 6 }));
            Assert.That(batch.Sequences[1].Tokens.ToArray(), Is.EqualTo(new[] { 4, 5, 6, 7, 2 }));
            Assert.That(batch.Sequences[1].ResponseStart, Is.EqualTo(2));
            Assert.That(batch.ReferenceLogProbs, Is.EqualTo(new double[] { -4, -5, -6, -4, -5, -6 }));
            Assert.That(batch.RolloutLogProbs[3], Is.EqualTo(-1.5), "the unfiltered policy's");
            Assert.That(batch.Scores, Is.EqualTo(new[] { 0.5, 2 }));
        });
    }

    [Test]
    public void EveryContradictionIsBadDataWithItsRow() => Assert.Multiple(() =>
    {
        Bad(Row with { Scores = Row.Scores with { Score = double.NaN } }, "its score is NaN");
        Bad(Row with { Scores = Row.Scores with { ReferenceLogprobs = null } }, "--reference");
        Bad(Row with { Scores = Row.Scores with { ReferenceLogprobs = [-1] } }, "reference_logprobs has 1 numbers; the response has 3 tokens");
        Bad(Row with { Rollout = Row.Rollout with { PolicyLogprobs = [] } }, "policy_logprobs has 0 numbers");
        Bad(Row with { Rollout = Row.Rollout with { ResponseTokens = [] } }, "at least one token each; found 2 and 0");
        Bad(Row with { Rollout = Row.Rollout with { ResponseTokens = [6, 7, Tiny.Vocabulary] } }, "37 tokens. Was the row drawn by another model?");
    });

    /// <summary>A reward that did not apply: the row stays for audit, with no trained token.</summary>
    [Test]
    public void ARowWithoutAScoreIsNotTrainedOn()
    {
        ScoredRollout without = Row with { Scores = Row.Scores with { Score = null } };
        TrajectoryBatch batch = TrajectoryRows.ToBatch([without, Row], Tiny.Config);
        Assert.Multiple(() =>
        {
            Assert.That(batch.Scored, Is.EqualTo(new[] { false, true }));
            Assert.That(batch.ResponseMask, Is.EqualTo(new[] { false, false, false, true, true, true }));
            Assert.That(() => TrajectoryRows.ToBatch([without], Tiny.Config), Throws.TypeOf<BadDataException>().With.Message.Contains("All 1 rows have no score"));
        });
    }

    [Test]
    public void NoRowsAreBadData() => Assert.That(() => TrajectoryRows.ToBatch([], Tiny.Config), Throws.TypeOf<BadDataException>());

    private static void Bad(ScoredRollout row, string expected) =>
        Assert.That(() => TrajectoryRows.ToBatch([row], Tiny.Config), Throws.TypeOf<BadDataException>().With.Message.Contains(expected).And.Message.Contains("sample 3"));
}

using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

/// <summary>Scale, normalisation and clipping of scores, worked by hand, as the trainer applies them.</summary>
public sealed class RewardShapingTests
{
    private static readonly MethodConfig Plain = new() { KlCoefficient = 0, RewardClip = 0 };

    /// <summary>Responses of two tokens; NaN: the row has no score, and what stands there must reach nothing.</summary>
    private static TrajectoryBatch Batch(params double[] scores)
    {
        var batch = new TrajectoryBatch([.. scores.Select(_ => new TrainingSequence(new[] { 3, 4, 5 }, 1))]);
        for (int i = 0; i < scores.Length; i++)
        {
            bool scored = !double.IsNaN(scores[i]);
            (batch.Scores[i], batch.Scored[i], batch.Groups[i]) = (scored ? scores[i] : 1e6, scored, i / 2);
            if (!scored) batch.ResponseMask.AsSpan(batch.Response(i)).Clear();
        }

        return batch;
    }

    private static (double[] Last, ShapedRewards Told) Shaped(TrajectoryBatch batch, MethodConfig config, PolicyState state)
    {
        ShapedRewards told = RewardShaping.Fill(batch, config, 48, state);
        return ([.. batch.Offsets[1..].Select(end => batch.Rewards[end - 1])], told);
    }

    // {1, 3}: μ 2, σ √2, so 1/√2 and 3/√2 ≈ 2.12, which is cut to 2. Then with {5, 7}: μ 4, M2 20, σ √(20/3): 5/σ ≈ 1.94, and 7/σ ≈ 2.71 is cut.
    [Test]
    public void RunningMomentsGoOnFromIterationToIterationAndTheClipComesLast()
    {
        MethodConfig config = Plain with { RewardNormalization = RewardNormalization.Running, RewardClip = 2 };
        PolicyState state = PolicyState.Initial(config);
        (double[] first, ShapedRewards told) = Shaped(Batch(1, double.NaN, 3), config, state);
        Assert.That(first, Is.EqualTo(new[] { 1 / Math.Sqrt(2), 0, 2 }).Within(1e-12));
        Assert.That((told.ClippedShare, told.ScoreMoments), Is.EqualTo((0.5, new Moments(2, 2, 2))), "the row without a score is in neither");
        (double[] second, told) = Shaped(Batch(5, 7), config, state with { ScoreMoments = told.ScoreMoments });
        Assert.That(second, Is.EqualTo(new[] { 5 / Math.Sqrt(20.0 / 3), 2 }).Within(1e-12));
        Assert.That((told.ScoreMoments.Count, told.ScoreMoments.Mean, told.ScoreMoments.SumOfSquares), Is.EqualTo((4L, 4.0, 20.0)));
    }

    // (5 − 4)/√(20/3) and (7 − 4)/√(20/3) after {1, 3}.
    [Test]
    public void CentredByRunningMoments()
    {
        MethodConfig config = Plain with { RewardNormalization = RewardNormalization.RunningCentred };
        PolicyState state = PolicyState.Initial(config) with { ScoreMoments = Moments.Of([1, 3]) };
        Assert.That(Shaped(Batch(5, 7), config, state).Last, Is.EqualTo(new[] { 1 / Math.Sqrt(20.0 / 3), 3 / Math.Sqrt(20.0 / 3) }).Within(1e-12));
    }

    // One score, or equal ones, have no deviation: they are divided by 1.
    [TestCase(3.0)]
    [TestCase(3.0, 3.0)]
    public void WithoutADeviationNothingIsDivided(params double[] scores)
    {
        MethodConfig config = Plain with { RewardNormalization = RewardNormalization.Running };
        Assert.That(Shaped(Batch(scores), config, PolicyState.Initial(config)).Last, Is.All.EqualTo(3));
    }

    // Batch {1, 3, 5, 7}: μ 4, s² 20/3. Groups {1, 3} and {5, 7}: deviation √2 in each; their means alone: −1 and 1.
    [TestCase(RewardNormalization.Batch, new[] { -1.161895, -0.387298, 0.387298, 1.161895 })]
    [TestCase(RewardNormalization.Group, new[] { -0.707107, 0.707107, -0.707107, 0.707107 })]
    [TestCase(RewardNormalization.GroupMean, new[] { -1.0, 1, -1, 1 })]
    [TestCase(RewardNormalization.None, new[] { 1.0, 3, 5, 7 })]
    public void ByBatchAndByGroup(RewardNormalization normalization, double[] expected)
    {
        MethodConfig config = Plain with { RewardNormalization = normalization };
        (double[] last, ShapedRewards told) = Shaped(Batch(1, 3, 5, 7), config, PolicyState.Initial(config));
        Assert.That(last, Is.EqualTo(expected).Within(2e-6)); // the deviation of a group has an ε of 1e-6 added
        Assert.That((told.ClippedShare, told.ScoreMoments), Is.EqualTo((0.0, default(Moments))), "nothing runs, nothing is cut");
    }

    // (4 − 1 for no EOS) · 2 = 6, cut to 5; −6 is cut to −5. exp(ln 9 / 2) = 3.
    [Test]
    public void PenaltyThenScaleThenClip()
    {
        MethodConfig config = Plain with { MissingEosPenalty = 1, RewardScale = 2, RewardClip = 5 };
        TrajectoryBatch batch = Batch(4, -2, 1);
        (batch.Finished[0], batch.Finished[1]) = (false, false);
        (double[] last, ShapedRewards told) = Shaped(batch, config, PolicyState.Initial(config));
        Assert.That(last, Is.EqualTo(new double[] { 5, -5, 2 }));
        Assert.That(told.ClippedShare, Is.EqualTo(2.0 / 3).Within(1e-12));
        MethodConfig exponential = Plain with { RewardTemperature = 2 };
        Assert.That(Shaped(Batch(Math.Log(9)), exponential, PolicyState.Initial(exponential)).Last[0], Is.EqualTo(3).Within(1e-12));
    }
}

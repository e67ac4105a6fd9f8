namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class RewardTests
{
    [Test]
    public void AssemblyOfPublishedRows()
    {
        // Scores 1, 2, 3; β ½; log p − log ref −.1, −.2, −.3 on every token of a row.
        int[] offsets = [0, 3, 6, 9];
        double[] reference = new double[9], logProbs = [-0.1, -0.1, -0.1, -0.2, -0.2, -0.2, -0.3, -0.3, -0.3], rewards = new double[9];
        double kl = RewardAssembly.Fill(offsets, Check.AllTrue(9), [1, 2, 3], logProbs, reference, 0.5, KlEstimator.K1, rewards);
        Check.Close(rewards, [0.05, 0.05, 1.05, 0.1, 0.1, 2.1, 0.15, 0.15, 3.15]);
        Assert.That(kl, Is.EqualTo((-0.3 - 0.6 - 0.9) / 3).Within(Tolerance.SameFormula));
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(7)]
    [TestCase(8)]
    public void ScoreLandsOnTheLastRealToken(int n)
    {
        // In a frame of 8, four well-known systems place it at n, n or n + 1; n − 1 is the EOS itself.
        double[] rewards = new double[n];
        RewardAssembly.Fill([0, n], Check.AllTrue(n), [1], new double[n], new double[n], 0.1, KlEstimator.K1, rewards);
        Assert.That(Array.IndexOf(rewards, 1.0), Is.EqualTo(n - 1));
        Assert.That(rewards.Sum(), Is.EqualTo(1));
    }

    [Test]
    public void WithAMaskedTailTheScoreLandsOnTheLastTrainedToken()
    {
        double[] rewards = new double[6];
        double kl = RewardAssembly.Fill(
            [0, 4, 6], [true, true, false, false, false, false], [5, 7], [-1, -1, -1, -1, -1, -1], [-2, -2, -1, -1, -1, -1], 0.5, KlEstimator.K1, rewards);
        Assert.That(rewards, Is.EqualTo(new[] { -0.5, 4.5, 0, 0, 0, 0 }));
        Assert.That(kl, Is.EqualTo(2), "the second sequence has no trained-on token and is none");
    }

    [Test]
    public void MaskedJunkChangesNoBitAndDenseRewardsAdd()
    {
        RandomBatch clean = new(71), spoiled = clean.Spoiled(71);
        double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
        foreach (KlEstimator estimator in Enum.GetValues<KlEstimator>())
        {
            double first = RewardAssembly.Fill(clean.Offsets, clean.Mask, clean.Scores, clean.LogProbs, clean.ReferenceLogProbs, 0.1, estimator, a, clean.Rewards);
            double second = RewardAssembly.Fill(spoiled.Offsets, spoiled.Mask, clean.Scores, spoiled.LogProbs, spoiled.ReferenceLogProbs, 0.1, estimator, b, spoiled.Rewards);
            Assert.That(second, Is.EqualTo(first));
            Check.SameBits(b, a);
        }

        int t = Array.IndexOf(clean.Mask, true), row = Array.FindIndex(clean.Offsets, o => o > t) - 1;
        double[] plain = new double[clean.Tokens];
        RewardAssembly.Fill(clean.Offsets, clean.Mask, clean.Scores, clean.LogProbs, clean.ReferenceLogProbs, 0.1, KlEstimator.Absolute, plain);
        Assert.That(a[t] - plain[t], Is.EqualTo(clean.Rewards[t]).Within(Tolerance.SameFormula), $"row {row}");
    }

    [Test]
    public void ShapingRules()
    {
        double[] s = [-20, 0.5, 20];
        ScoreShaping.Clip(s, 10);
        Assert.That(s, Is.EqualTo(new[] { -10, 0.5, 10 }));
        ScoreShaping.Scale(s, 2);
        Assert.That(s, Is.EqualTo(new double[] { -20, 1, 20 }));
        ScoreShaping.SubtractBaseline(s, [1, 1, 1]);
        Assert.That(s, Is.EqualTo(new double[] { -21, 0, 19 }));
        ScoreShaping.SubtractIfUnfinished(s, [true, false, true], 1);
        Assert.That(s, Is.EqualTo(new double[] { -21, -1, 19 }));
        ScoreShaping.SubtractPerTokenBeyond(s, [4, 6, 10], 6, 0.5);
        Assert.That(s, Is.EqualTo(new double[] { -21, -1, 17 }));
        double[] e = [0, 2 * Math.Log(3)];
        ScoreShaping.Exponential(e, 2);
        Check.Close(e, [1, 3], Tolerance.SameFormula);
    }

    [Test]
    public void RunningScalesUseEverythingSeen()
    {
        // {1, 3}: μ 2, σ √2. Then {5, 7}: all four: μ 4, σ² 20/3.
        RunningMoments divide = new(), normalize = new();
        double[] first = [1, 3], second = [5, 7];
        ScoreShaping.DivideByRunningDeviation(first, divide);
        Check.Close(first, [1 / Math.Sqrt(2), 3 / Math.Sqrt(2)], Tolerance.SameFormula);
        ScoreShaping.DivideByRunningDeviation(second, divide);
        Check.Close(second, [5 / Math.Sqrt(20.0 / 3), 7 / Math.Sqrt(20.0 / 3)], Tolerance.SameFormula);
        double[] a = [1, 3], b = [5, 7];
        ScoreShaping.NormalizeByRunningMoments(a, normalize);
        ScoreShaping.NormalizeByRunningMoments(b, normalize);
        Check.Close(b, [1 / Math.Sqrt(20.0 / 3), 3 / Math.Sqrt(20.0 / 3)], Tolerance.SameFormula);
        double[] c = [1, 3];
        ScoreShaping.NormalizeByBatch(c);
        Check.Close(c, [-0.707107, 0.707107], 1e-6);
    }

    [TestCase(80, 0)]
    [TestCase(90, -0.5)]
    [TestCase(100, -1)]
    [TestCase(130, -1)]
    public void OverlongPenaltyOfDapo(int length, double expected)
    {
        Assert.That(OverlongPenalty.Of(length, limit: 100, buffer: 20), Is.EqualTo(expected));
        double[] scores = [1];
        OverlongPenalty.Add(scores, [length], 100, 20, factor: 2);
        Assert.That(scores[0], Is.EqualTo(1 + (2 * expected)));
    }
}

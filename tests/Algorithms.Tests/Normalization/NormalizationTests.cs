namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class NormalizationTests
{
    private static readonly double[] OneToFour = [1, 2, 3, 4];
    private static readonly bool[] Middle = [false, true, true, false];

    [Test]
    public void MaskedMoments()
    {
        // TRL's test of masked_mean, masked_var and masked_whiten.
        Assert.That(Moments.Of(OneToFour, Middle).Mean, Is.EqualTo(2.5));
        Assert.That(Moments.Of(OneToFour, Middle).SampleVariance, Is.EqualTo(0.5));
        Assert.That(Moments.Of(OneToFour, Middle).PopulationVariance, Is.EqualTo(0.25));
        double[] x = [.. OneToFour];
        Whitening.ToZeroMeanUnitVariance(x, Middle);
        Check.Close(x, [1, -0.707107, 0.707107, 4], 1e-6);
    }

    [Test]
    public void JunkOutsideTheMaskDoesNotLeakAndEmptyIsZero()
    {
        Assert.That(Moments.Of([1, 2, double.NaN, 4], [true, false, false, true]).Mean, Is.EqualTo(2.5));
        Assert.That(Moments.Of([double.NaN, double.NaN], [false, false]).Mean, Is.Zero);
        Assert.That(Moments.Of([1, double.NaN], [true, false]).SampleVariance, Is.Zero);
        double[] x = [1, double.NaN, 3];
        Whitening.ToZeroMeanUnitVariance(x, [true, false, true]);
        Assert.That(x[1], Is.NaN);
        Check.Close([x[0], x[2]], [-0.707107, 0.707107], 1e-6);
    }

    [Test]
    public void WhitenedHasZeroMeanAndUnitVariance([Values] VarianceKind kind)
    {
        RandomBatch b = new(61, sequences: 20);
        Whitening.ToZeroMeanUnitVariance(b.Advantages, b.Mask, kind);
        Moments m = Moments.Of(b.Advantages, b.Mask);
        Assert.That(m.Mean, Is.Zero.Within(Tolerance.SameFormula));
        Assert.That(kind == VarianceKind.Sample ? m.SampleVariance : m.PopulationVariance, Is.EqualTo(1).Within(1e-7), "1e−8 is added to σ²");
    }

    [Test]
    public void RunningMomentsEqualThoseOfTheConcatenation()
    {
        // trlX's test of RunningMoments.
        double[][] batches =
        [
            [.. Enumerable.Range(0, 100).Select(i => (double)i)],
            [.. Enumerable.Repeat(1.0, 100)],
            [.. Enumerable.Range(0, 10).Select(i => Math.Exp(i))],
            [-10, -1, 0, 1, 10],
        ];
        RunningMoments running = new();
        List<double> seen = [];
        foreach (double[] batch in batches)
        {
            running.Update(batch);
            running = new RunningMoments(running.State); // through a checkpoint
            seen.AddRange(batch);
            double mean = seen.Average(), variance = seen.Sum(x => (x - mean) * (x - mean)) / (seen.Count - 1);
            Assert.That(running.Mean, Is.EqualTo(mean).Within(Tolerance.MergedMoments));
            Assert.That(running.StandardDeviation, Is.EqualTo(Math.Sqrt(variance)).Within(Tolerance.MergedMoments));
        }
    }

    /// <summary>0.1 is no binary fraction, so the mean of 64 of them is not 0.1 and M2 not 0; whatever divides by the deviation must not see it.</summary>
    [TestCase(0.1, 64)]
    [TestCase(-0.3, 1000)]
    [TestCase(1e12 / 3, 999)]
    [TestCase(1e-9 / 3, 77)]
    public void EqualNumbersHaveNoVariance(double value, int count)
    {
        double[] equal = [.. Enumerable.Repeat(value, count)];
        Moments m = Moments.Of(equal);
        Assert.That(m.SumOfSquares, Is.GreaterThan(0), "else the case tests nothing");
        Assert.That((m.IsConstant, m.SampleVariance, m.PopulationVariance), Is.EqualTo((true, 0.0, 0.0)));
        RunningMoments running = new();
        double[] scores = [.. equal];
        for (int batch = 0; batch < 3; batch++)
        {
            equal.CopyTo(scores, 0);
            ScoreShaping.DivideByRunningDeviation(scores, running);
            Assert.That(scores, Is.EqualTo(equal), "divided by 1");
        }

        ScoreShaping.NormalizeByRunningMoments(scores, running);
        Assert.That(scores, Has.All.EqualTo(0).Within(Math.Abs(value) * Tolerance.SameFormula));
        Assert.That(ExplainedVariance.Of(Check.AllTrue(count), [.. Enumerable.Range(0, count).Select(i => (double)i)], equal), Is.Zero);
        Assert.That(Correlation.Pearson(equal, [.. Enumerable.Range(0, count).Select(i => (double)i)]), Is.NaN);
    }

    /// <summary>A spread of float32's rounding is one, and broken numbers are to be seen.</summary>
    [Test]
    public void SmallAndBrokenSpreadsAreKept()
    {
        Moments small = Moments.Of([1, 1 + 6e-8]);
        Assert.That((small.IsConstant, Math.Sqrt(small.SampleVariance)), Is.EqualTo((false, 6e-8 / Math.Sqrt(2))).Using<double>((a, b) => Math.Abs(a - b) < 1e-14));
        Assert.That(Moments.Of([1e-300, 2e-140]).SampleVariance, Is.GreaterThan(0), "no smallest number, only a smallest share");
        Assert.That(Moments.Of([1, double.NaN]).SampleVariance, Is.NaN);
        Assert.That(Moments.Of([double.MaxValue, double.MaxValue]).SampleVariance, Is.EqualTo(double.PositiveInfinity));
    }

    [Test]
    public void OneByOneEqualsMergedEqualsWhole()
    {
        double[] x = new TestRandom(62).Normals(101, 3);
        Moments one = x.Aggregate(default(Moments), (m, v) => m.With(v)), whole = Moments.Of(x), merged = Moments.Of(x.AsSpan(0, 30)) + Moments.Of(x.AsSpan(30));
        foreach (Moments m in new[] { one, merged })
        {
            Assert.That(m.Count, Is.EqualTo(101));
            Assert.That(m.Mean, Is.EqualTo(whole.Mean).Within(Tolerance.SameFormula));
            Assert.That(m.SampleVariance, Is.EqualTo(whole.SampleVariance).Within(Tolerance.SameFormula * 10));
        }

        Assert.That(new RunningMoments().StandardDeviation, Is.EqualTo(1));
    }
}

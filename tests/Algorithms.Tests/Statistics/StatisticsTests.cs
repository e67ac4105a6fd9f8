using NUnit.Framework;

namespace Rlhf.Algorithms.Tests;

/// <summary>Intervals, calibration and correlation, worked by hand.</summary>
public sealed class StatisticsTests
{
    private const double Rounding = 1e-12;

    // z = 2, 8 of 16: p = 1/2, z²/n = 1/4: centre (1/2 + 1/8)/(5/4) = 1/2; half √(1/64 + 1/64·…): p(1−p)/n = 1/64, z²/4n² = 4/1024 = 1/256:
    // 2 √(5/256) / (5/4) = 2 (√5/16) 4/5 = √5/10.
    [Test]
    public void WilsonByHand()
    {
        (double low, double high) = Wilson.Interval(8, 16, 2);
        Assert.That(low, Is.EqualTo(0.5 - (Math.Sqrt(5) / 10)).Within(Rounding));
        Assert.That(high, Is.EqualTo(0.5 + (Math.Sqrt(5) / 10)).Within(Rounding));
    }

    // At p = 0 the lower end is 0, the upper z²/(n + z²) = 4/(12 + 4).
    [Test]
    public void WilsonStaysWithinItsBounds()
    {
        (double low, double high) = Wilson.Interval(0, 12, 2);
        Assert.That((low, high), Is.EqualTo((0.0, 0.25)).Within(Rounding));
        Assert.That(Wilson.Interval(12, 12, 2).High, Is.EqualTo(1).Within(Rounding));
        Assert.That(Wilson.Interval(0, 0).Low, Is.NaN);
    }

    /// <summary>Over many data sets of p = 0.8, n = 100, the interval holds p in about 95 % of them.</summary>
    [Test]
    public void NineteenOfTwentyIntervalsHoldTheTruth()
    {
        int held = 0;
        for (uint set = 0; set < 1000; set++)
        {
            int hits = Enumerable.Range(0, 100).Count(i => new TestRandom((set * 1000UL) + (ulong)i).Uniform() < 0.8);
            (double low, double high) = Wilson.Interval(hits, 100);
            if (low <= 0.8 && 0.8 <= high) held++;
        }

        Assert.That(held, Is.InRange(925, 975)); // √(1000 · 0.05 · 0.95) = 7
    }

    /// <summary>The mean of n numbers of deviation 1: ±1.96/√n; every unit the same: no width.</summary>
    [Test]
    public void TheBootstrapOfAMeanIsItsStandardErrorTwice()
    {
        double[] values = [.. Enumerable.Range(0, 400).Select(i => i % 2 == 0 ? 1.0 : -1.0)];
        (double low, double high) = Bootstrap.Interval(400, drawn => drawn.Average(i => values[i]), 2000, (d, i) => new TestRandom((ulong)((d * 1000) + i)).Uniform());
        Assert.That(high, Is.EqualTo(1.96 / 20).Within(0.012));
        Assert.That(low, Is.EqualTo(-1.96 / 20).Within(0.012));
        Assert.That(Bootstrap.Interval(3, drawn => drawn.Average(_ => 5.0), 10, (_, _) => 0.5), Is.EqualTo((5.0, 5.0)));
        Assert.That(Bootstrap.Quantile([1, 2, 4], 0.75), Is.EqualTo(3));
    }

    // 0.55 · 20 = 11.000000000000002 and 0.29 · 100 = 28.999999999999996 in float64.
    [TestCase(0.55, 20, 11, 11)]
    [TestCase(0.29, 100, 29, 29)]
    [TestCase(0.07, 100, 7, 7)]
    [TestCase(0.5, 5, 2, 3)]
    [TestCase(0, 5, 0, 0)]
    [TestCase(1, 5, 5, 5)]
    [TestCase(0.001, 5, 0, 1)]
    public void SharesAreCountedInDecimals(double share, int n, int floor, int ceiling) => Assert.That((Share.Floor(share, n), Share.Ceiling(share, n)), Is.EqualTo((floor, ceiling)));

    // Ties share ranks: 1, 2.5, 2.5, 4. Against 1, 2, 3, 4: Σab = 4.5, Σa² = 4.5, Σb² = 5: 4.5/√22.5.
    [Test]
    public void RanksShareTies()
    {
        Assert.That(Correlation.Ranks([3, 7, 7, 9]), Is.EqualTo(new[] { 1, 2.5, 2.5, 4 }));
        Assert.That(Correlation.Spearman([3, 7, 7, 9], [1, 2, 3, 4]), Is.EqualTo(4.5 / Math.Sqrt(22.5)).Within(Rounding));
        Assert.That(Correlation.Pearson([1, 2, 3], [-2, -4, -6]), Is.EqualTo(-1).Within(Rounding));
        Assert.That(Correlation.Pearson([1, 1], [1, 2]), Is.NaN);
    }

    // Two bins of [0, 1]: 0.25, 0.25 with one hit; 0.75 with a hit. Errors 2·|1/2 − 1/4| + 1·|1 − 3/4| = 3/4 of 3.
    [Test]
    public void ReliabilityByHand()
    {
        ReliabilityBin[] table = Calibration.Table([0.25, 0.25, 0.75], [1, 0, 1], 2);
        Assert.That(table[0], Is.EqualTo(new ReliabilityBin(0, 0.5, 2, 0.25, 0.5)));
        Assert.That(Calibration.ExpectedError(table), Is.EqualTo(0.25));
        Assert.That(Calibration.Table([0.75], [1], 2, low: 0.5)[1].Count, Is.EqualTo(1), "½ … 1 in two bins: 0.75 is in the second");
        Assert.That(Calibration.ExpectedError(Calibration.Table([], [], 3)), Is.NaN);
    }

    /// <summary>z = ±2 with three of four right: σ(2/T) = 3/4, so T = 2/ln 3.</summary>
    [Test]
    public void TheTemperatureMakesTheLikelihoodGreatest()
    {
        double t = Calibration.Temperature([2, 2, 2, -2], [1, 1, 1, 1]);
        Assert.That(t, Is.EqualTo(2 / Math.Log(3)).Within(1e-6));
        Assert.That(Calibration.Loss([2, 2, 2, -2], [1, 1, 1, 1], t), Is.LessThan(Calibration.Loss([2, 2, 2, -2], [1, 1, 1, 1], 1)));
    }
}

/// <summary>Penalties on the size of scores.</summary>
public sealed class ScorePenaltyTests
{
    // c = 1/2, s = 1/4, r = 1, −2: ½·¼·(1 + 4) = 5/8; gradient 2·½·¼·r = r/4 beside what was there.
    [Test]
    public void SizeByHand()
    {
        double[] gradient = [1, 1];
        Assert.That(ScalePenalty.Add([1, -2], 0.5, 0.25, gradient), Is.EqualTo(0.625));
        Assert.That(gradient, Is.EqualTo(new[] { 1.25, 0.5 }));
    }

    /// <summary>Two responses give the pairs' penalty; three by finite differences.</summary>
    [Test]
    public void GroupsAreCentredAsPairsAre()
    {
        double[] group = new double[2], chosen = new double[1], rejected = new double[1];
        Assert.That(GroupCentringPenalty.Add([0, 2], [3, -1], 0.5, 0.25, group), Is.EqualTo(CentringPenalty.Add([3], [-1], 0.5, 0.25, chosen, rejected)));
        Assert.That(group, Is.EqualTo(new[] { chosen[0], rejected[0] }));
        double[] scores = [0.3, -0.7, 1.1], gradient = new double[3];
        GroupCentringPenalty.Add([0, 3], scores, 0.4, 1, gradient);
        for (int i = 0; i < 3; i++)
        {
            const double step = 1e-5;
            double Loss(double d) => GroupCentringPenalty.Add([0, 3], [.. scores.Select((r, j) => j == i ? r + d : r)], 0.4, 1, new double[3]);
            Assert.That(gradient[i], Is.EqualTo((Loss(step) - Loss(-step)) / (2 * step)).Within(1e-8));
        }
    }

    // Positives 3 and 1, negatives 2, 1 and 0: 3 beats all three; 1 loses to 2, ties with 1, beats 0: 4½ of 6.
    [Test]
    public void RocAreaByHand()
    {
        Assert.That(RocCurve.Area([3, 2, 1, 1, 0], [1, 0, 1, 0, 0]), Is.EqualTo(4.5 / 6).Within(1e-12));
        Assert.That(RocCurve.Area([3, 2], [1, 1]), Is.NaN);
    }
}

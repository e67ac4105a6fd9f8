namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class AdversarialSelectionTests
{
    private static readonly double[] Rewards = [0.5, 1, 0.75, 1, 0.25, 0.875];
    private static readonly double[] LogProbs = [-8, -2, -6, -7, -9, -6];

    // k = ⌊share · 6⌋ of −9 −8 −7 −6 −6 −2.
    [TestCase(0, double.NegativeInfinity)]
    [TestCase(0.16, double.NegativeInfinity)]
    [TestCase(0.17, -9)]
    [TestCase(0.5, -7)]
    [TestCase(1, -2)]
    public void TheLimitIsAnOrderStatistic(double share, double expected) => Assert.That(AdversarialSelection.Limit(LogProbs, share), Is.EqualTo(expected));

    /// <summary>29 of 100 and 11 of 20, whatever float64 makes of the products.</summary>
    [Test]
    public void SharesOfWholeNumbersAreExact()
    {
        double[] hundred = [.. Enumerable.Range(1, 100).Select(i => (double)i)], twenty = hundred[..20];
        Assert.That(AdversarialSelection.Limit(hundred, 0.29), Is.EqualTo(29));
        Assert.That(AdversarialSelection.Select(twenty, new double[20], 0.55, 0), Has.Length.EqualTo(11));
    }

    [Test]
    public void HighRewardAndLowLikelihoodTogether()
    {
        // The 3 highest of 6 are 1, 1 and 0.875 (texts 1, 3, 5); at most −6: of those 3 and 5.
        Assert.That(AdversarialSelection.Select(Rewards, LogProbs, 0.5, -6), Is.EqualTo(new[] { 3, 5 }));
        // ⌈0.1 · 6⌉ = 1: the highest, and what equals it.
        Assert.That(AdversarialSelection.Select(Rewards, LogProbs, 0.1, 0), Is.EqualTo(new[] { 1, 3 }));
        Assert.That(AdversarialSelection.Select(Rewards, LogProbs, 1, double.NegativeInfinity), Is.Empty, "nothing is that unlikely");
        Assert.That(AdversarialSelection.Select(Rewards, LogProbs, 0, 0), Is.Empty);
        Assert.That(AdversarialSelection.Select(Rewards, LogProbs, 1, 0), Is.EqualTo(new[] { 0, 1, 2, 3, 4, 5 }));
        Assert.That(AdversarialSelection.Select([], [], 0.5, 0), Is.Empty);
    }

    [Test]
    public void OptionsAreChecked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => AdversarialSelection.Limit(LogProbs, 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => AdversarialSelection.Select(Rewards, LogProbs, -0.5, 0));
        Assert.Throws<ArgumentException>(() => AdversarialSelection.Select(Rewards, [1.0], 0.5, 0));
    }
}

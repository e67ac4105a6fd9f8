namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class SamplingTests
{
    /// <summary>Of lm-human-preferences' tests of take_top_k_logits and take_top_p_logits.</summary>
    private static readonly double[] Logits = [1, 1.01, 1.001, 0, 0, 0, 2];

    [TestCase(1, 6)]
    [TestCase(2, 1, 6)]
    [TestCase(3, 1, 2, 6)]
    [TestCase(4, 0, 1, 2, 6)]
    [TestCase(5, 0, 1, 2, 3, 4, 5, 6)]
    [TestCase(0, 0, 1, 2, 3, 4, 5, 6)]
    public void TopKKeepsTies(int k, params int[] expected)
    {
        bool[] keep = Check.AllTrue(7);
        SamplingFilters.TopK(Logits, k, keep);
        Assert.That(Kept(keep), Is.EqualTo(expected));
    }

    [TestCase(1, 0, 1, 2, 3, 4, 5, 6)]
    [TestCase(0, 6)]
    [TestCase(0.5, 6)]
    [TestCase(0.6, 1, 6)]
    [TestCase(0.7, 1, 2, 6)]
    public void TopP(double p, params int[] expected)
    {
        bool[] keep = Check.AllTrue(7);
        SamplingFilters.TopP(Logits, p, keep);
        Assert.That(Kept(keep), Is.EqualTo(expected));
    }

    [Test]
    public void FiltersCompose()
    {
        // Probabilities ½, ¼, ⅛, ⅛. Top-k 2 leaves ⅔, ⅓; top-p .6 of those keeps the first only. Min-p ½ keeps ½ and ¼.
        double[] logits = [.. new[] { 0.5, 0.25, 0.125, 0.125 }.Select(x => Math.Log(x))], logProbs = new double[4];
        bool[] keep = Check.AllTrue(4);
        SamplingFilters.TopK(logits, 2, keep);
        SamplingFilters.LogProbs(logits, keep, logProbs);
        Check.Close([.. logProbs.Select(Math.Exp)], [2.0 / 3, 1.0 / 3, 0, 0], Tolerance.SameFormula);
        SamplingFilters.TopP(logits, 0.66, keep);
        Assert.That(Kept(keep), Is.EqualTo(new[] { 0 }));
        keep = Check.AllTrue(4);
        SamplingFilters.MinP(logits, 0.4, keep);
        Assert.That(Kept(keep), Is.EqualTo(new[] { 0, 1 }));
        SamplingFilters.MinP(logits, 0, keep);
        Assert.That(Kept(keep), Is.EqualTo(new[] { 0, 1 }));
        double[] hot = [1, 2];
        SamplingFilters.Temperature(hot, 0.5);
        Assert.That(hot, Is.EqualTo(new double[] { 2, 4 }));
    }

    [Test]
    public void DrawWalksTheCumulativeDistribution()
    {
        double[] logProbs = [Math.Log(0.25), double.NegativeInfinity, Math.Log(0.5), Math.Log(0.25)];
        Assert.That(new[] { 0, 0.2, 0.3, 0.74, 0.76, 0.9999999999 }.Select(u => SamplingFilters.Draw(logProbs, u)), Is.EqualTo(new[] { 0, 0, 2, 2, 3, 3 }));
    }

    [Test]
    public void EntropyOfPublishedLogits()
    {
        Assert.That(Entropy.OfLogits([5, 5, 5, 5]), Is.EqualTo(1.386294).Within(1e-6));
        Assert.That(Entropy.OfLogits([1, 2, 3]), Is.EqualTo(0.832396).Within(1e-6));
        Assert.That(Entropy.OfLogits([0, double.NegativeInfinity]), Is.Zero);
        double[] z = [0.3, -1, 2, 0.5], gradient = new double[4];
        Entropy.WithGradient(z, 3, gradient);
        double Naive(double[] x)
        {
            double sum = x.Sum(Math.Exp);
            return -3 * x.Sum(v => Math.Exp(v) / sum * Math.Log(Math.Exp(v) / sum));
        }

        Check.Gradient(Naive, z, gradient);
    }

    [Test]
    public void TruncationKeepsTheStopToken()
    {
        int[] stop = [2, 869];
        Assert.That(StopTokens.Truncate([869, 30, 869], stop).ToArray(), Is.EqualTo(new[] { 869 }));
        Assert.That(StopTokens.Truncate([13, 2, 20], stop).ToArray(), Is.EqualTo(new[] { 13, 2 }));
        Assert.That(StopTokens.Truncate([13, 30, 5], stop).ToArray(), Is.EqualTo(new[] { 13, 30, 5 }));
    }

    private static int[] Kept(bool[] keep) => [.. Enumerable.Range(0, keep.Length).Where(i => keep[i])];
}

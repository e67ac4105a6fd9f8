namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class GaeTests
{
    private static IEnumerable<TestCaseData> Published()
    {
        yield return new TestCaseData(0.5, 0.0, new double[] { 0, 0, 1, 0 }, new double[] { 0, 1, 2, 3 }, new[] { true, true, true, true },
            new[] { 0.5, 0, 0.5, -3 }, new[] { 0.5, 1, 2.5, 0 }).SetName("NeMo-Aligner ppo_utils_test");
        yield return new TestCaseData(1.0, 0.0, new double[] { 0, 0, 5 }, new double[] { 1, 2, 3 }, new[] { true, true, true },
            new double[] { 1, 1, 2 }, new double[] { 2, 3, 5 }).SetName("NeMo-RL test_ppo");
        yield return new TestCaseData(1.0, 1.0, new double[] { 0, 0, 0, 1 }, new[] { 0.5, 0.5, 0.5, 0.5 }, new[] { true, true, true, true },
            new[] { 0.5, 0.5, 0.5, 0.5 }, new double[] { 1, 1, 1, 1 }).SetName("NeMo-RL Monte-Carlo identity");
        yield return new TestCaseData(0.99, 0.95, new double[] { 0, 0, 0, 0, 1 }, new[] { 0.1, 0.2, 999, 0.4, 0.5 }, new[] { true, true, false, true, true },
            new[] { 0.782324, 0.727618, 0, 0.565250, 0.5 }, new[] { 0.882324, 0.927618, 0, 0.965250, 1 }).SetName("NeMo-RL gap");
    }

    [TestCaseSource(nameof(Published))]
    public void PublishedNumbers(double gamma, double lambda, double[] rewards, double[] values, bool[] mask, double[] advantages, double[] returns)
    {
        double[] a = new double[mask.Length], r = new double[mask.Length];
        Gae.Compute([0, mask.Length], mask, rewards, values, gamma, lambda, a, r);
        Check.Close(a, advantages);
        Check.Close(r, returns);
    }

    [TestCase(51ul)]
    [TestCase(52ul)]
    [TestCase(53ul)]
    public void LoopEqualsSumOverPairs(ulong seed)
    {
        const double Gamma = 0.97, Lambda = 0.9;
        RandomBatch b = new(seed);
        double[] bootstrap = new TestRandom(seed).Normals(b.Sequences);
        double[] a = new double[b.Tokens], r = new double[b.Tokens], expected = new double[b.Tokens];
        Gae.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, Lambda, a, r, bootstrap);
        for (int i = 0; i < b.Sequences; i++)
        {
            int[] steps = [.. b.TrainedOf(i)];
            double Delta(int k) => b.Rewards[steps[k]] + (Gamma * (k + 1 < steps.Length ? b.Values[steps[k + 1]] : bootstrap[i])) - b.Values[steps[k]];
            for (int k = 0; k < steps.Length; k++)
                expected[steps[k]] = Enumerable.Range(k, steps.Length - k).Sum(j => Math.Pow(Gamma * Lambda, j - k) * Delta(j));
        }

        Check.Close(a, expected, Tolerance.SameFormula);
        Check.Close(r, [.. expected.Select((x, t) => b.Mask[t] ? x + b.Values[t] : 0)], Tolerance.SameFormula);
    }

    [Test]
    public void MaskedJunkChangesNoBit()
    {
        RandomBatch clean = new(54), spoiled = clean.Spoiled(54);
        double[] a = new double[clean.Tokens], r = new double[clean.Tokens], a2 = new double[clean.Tokens], r2 = new double[clean.Tokens];
        Gae.Compute(clean.Offsets, clean.Mask, clean.Rewards, clean.Values, 0.99, 0.95, a, r);
        Gae.Compute(spoiled.Offsets, spoiled.Mask, spoiled.Rewards, spoiled.Values, 0.99, 0.95, a2, r2);
        Check.SameBits(a2, a);
        Check.SameBits(r2, r);
    }

    [Test]
    public void OffsetsMustCoverTheTokens()
    {
        ArgumentException? error = Assert.Throws<ArgumentException>(() => Gae.Compute([0, 2], [true], [0], [0], 1, 1, new double[1], new double[1]));
        Assert.That(error!.Message, Does.StartWith("offsets has first entry 0, last entry 2; it must run from 0 to the 1 tokens of the batch."));
    }
}

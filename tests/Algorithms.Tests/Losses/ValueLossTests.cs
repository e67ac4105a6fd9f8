namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class ValueLossTests
{
    [Test]
    public void ConformanceTerms()
    {
        // NeMo-RL: v .5, 1, 1.5; old .4, .4, 1.6; R 1; clip .2. v_c = .5, .6, 1.5: terms .25, .16, .25; ½ · .66/3 = .11.
        double third = 1.0 / 3;
        ValueLossSums sums = ValueLoss.Clipped(Check.AllTrue(3), [0.5, 1, 1.5], [0.4, 0.4, 1.6], [1, 1, 1], [third, third, third], 0.2, new double[3]);
        Assert.That(sums.Loss, Is.EqualTo(0.11).Within(Tolerance.SameFormula));
        Assert.That(sums.Clipped, Is.EqualTo(1));
        Assert.That(ValueLoss.Clipped([true], [0.5], [0.4], [1], [2], 0.2, new double[1]).Loss, Is.EqualTo(0.25).Within(Tolerance.SameFormula));
        Assert.That(ValueLoss.Clipped([true], [1], [0.4], [1], [2], 0.2, new double[1]).Loss, Is.EqualTo(0.16).Within(Tolerance.SameFormula));
    }

    [TestCase(31ul)]
    [TestCase(32ul)]
    [TestCase(33ul)]
    public void EqualsNaiveAndFiniteDifference(ulong seed)
    {
        RandomBatch b = new(seed);
        double[] gradient = new double[b.Tokens];
        ValueLossSums sums = ValueLoss.Clipped(b.Mask, b.Values, b.OldValues, b.Returns, b.Weights, 0.2, gradient);
        double Naive(double[] v) => 0.5 * Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t =>
        {
            double held = b.OldValues[t] + Math.Min(Math.Max(v[t] - b.OldValues[t], -0.2), 0.2);
            return b.Weights[t] * Math.Max(Math.Pow(v[t] - b.Returns[t], 2), Math.Pow(held - b.Returns[t], 2));
        });
        Assert.That(sums.Loss, Is.EqualTo(Naive(b.Values)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, b.Values, gradient);
    }

    [Test]
    public void ClippedIsNeverBelowUnclippedWhichIsPlainlySquared()
    {
        RandomBatch b = new(34);
        double[] gradient = new double[b.Tokens];
        double squared = ValueLoss.Clipped(b.Mask, b.Values, b.OldValues, b.Returns, b.Weights, double.MaxValue, gradient).Loss;
        double Naive(double[] v) => Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t => b.Weights[t] * Math.Pow(v[t] - b.Returns[t], 2) / 2);
        Assert.That(squared, Is.EqualTo(Naive(b.Values)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, b.Values, gradient);
        foreach (double clip in new[] { 0.01, 0.1, 0.5, 2 })
            Assert.That(ValueLoss.Clipped(b.Mask, b.Values, b.OldValues, b.Returns, b.Weights, clip, gradient).Loss, Is.GreaterThanOrEqualTo(squared));
    }

    [Test]
    public void MaskedJunkChangesNoBitAndAllMaskedIsZero()
    {
        RandomBatch clean = new(35), spoiled = clean.Spoiled(35);
        double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
        Assert.That(
            ValueLoss.Clipped(spoiled.Mask, spoiled.Values, spoiled.OldValues, spoiled.Returns, spoiled.Weights, 0.2, b),
            Is.EqualTo(ValueLoss.Clipped(clean.Mask, clean.Values, clean.OldValues, clean.Returns, clean.Weights, 0.2, a)));
        Check.SameBits(b, a);
        double[] junk = [.. Enumerable.Repeat(double.NaN, clean.Tokens)];
        Assert.That(ValueLoss.Clipped(new bool[clean.Tokens], junk, junk, junk, junk, 0.2, b), Is.EqualTo(default(ValueLossSums)));
        Assert.That(b, Is.All.EqualTo(0.0));
    }

    [Test]
    public void MicroBatchesAddUp()
    {
        RandomBatch b = new(36);
        double[] whole = new double[b.Tokens];
        ValueLossSums all = ValueLoss.Clipped(b.Mask, b.Values, b.OldValues, b.Returns, b.Weights, 0.2, whole);
        int cut = b.Offsets[4];
        double[] left = new double[cut], right = new double[b.Tokens - cut];
        ValueLossSums parts =
            ValueLoss.Clipped(b.Mask[..cut], b.Values[..cut], b.OldValues[..cut], b.Returns[..cut], b.Weights[..cut], 0.2, left)
            + ValueLoss.Clipped(b.Mask[cut..], b.Values[cut..], b.OldValues[cut..], b.Returns[cut..], b.Weights[cut..], 0.2, right);
        Assert.That(parts.Loss, Is.EqualTo(all.Loss).Within(Tolerance.SameFormula));
        Assert.That((parts.Clipped, parts.Tokens), Is.EqualTo((all.Clipped, all.Tokens)));
        Check.SameBits([.. left, .. right], whole);
    }
}

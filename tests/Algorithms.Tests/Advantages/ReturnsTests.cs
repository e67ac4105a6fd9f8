namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class ReturnsTests
{
    private const double Gamma = 0.9;

    [Test]
    public void NStepEqualsItsSum([Values(1, 2, 3, 100)] int steps)
    {
        RandomBatch b = new(121);
        double[] a = new double[b.Tokens], r = new double[b.Tokens], expected = new double[b.Tokens];
        NStep.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, steps, a, r);
        for (int i = 0; i < b.Sequences; i++)
        {
            int[] s = [.. b.TrainedOf(i)];
            for (int k = 0; k < s.Length; k++)
            {
                expected[s[k]] = Enumerable.Range(0, steps).Where(j => k + j < s.Length).Sum(j => Math.Pow(Gamma, j) * b.Rewards[s[k + j]])
                    + (k + steps < s.Length ? Math.Pow(Gamma, steps) * b.Values[s[k + steps]] : 0);
            }
        }

        Check.Close(r, expected, Tolerance.SameFormula);
        Check.Close(a, [.. expected.Select((x, t) => b.Mask[t] ? x - b.Values[t] : 0)], Tolerance.SameFormula);
    }

    [Test]
    public void TheFamilyMeetsAtItsEnds()
    {
        RandomBatch b = new(122);
        double[] one = Run((a, r) => NStep.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, 1, a, r));
        double[] td = Run((a, r) => TdZero.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, a, r));
        double[] all = Run((a, r) => NStep.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, 1000, a, r));
        double[] monteCarlo = Run((a, r) => MonteCarlo.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, a, r));
        double[] gae = Run((a, r) => Gae.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, 1, a, r));
        Check.Close(one, td, Tolerance.SameFormula);
        Check.Close(all, monteCarlo, Tolerance.SameFormula);
        Check.Close(gae, monteCarlo, Tolerance.SameFormula);
        double[] Run(Action<double[], double[]> compute)
        {
            double[] a = new double[b.Tokens], r = new double[b.Tokens];
            compute(a, r);
            return [.. a, .. r];
        }
    }

    [Test]
    public void MaskedJunkChangesNoBit()
    {
        RandomBatch clean = new(123), spoiled = clean.Spoiled(123);
        foreach (Action<RandomBatch, double[], double[]> compute in (Action<RandomBatch, double[], double[]>[])
        [
            (b, a, r) => NStep.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, 2, a, r),
            (b, a, r) => MonteCarlo.Compute(b.Offsets, b.Mask, b.Rewards, b.Values, Gamma, a, r),
            (b, a, _) => ReinforcePlusPlus.Advantages(b.Offsets, b.Mask, b.Rewards, Gamma, a),
        ])
        {
            double[] a = new double[clean.Tokens], r = new double[clean.Tokens], a2 = new double[clean.Tokens], r2 = new double[clean.Tokens];
            compute(clean, a, r);
            compute(spoiled, a2, r2);
            Check.SameBits(a2, a);
            Check.SameBits(r2, r);
        }
    }

    [Test]
    public void ReinforcePlusPlusReturnsOfOpenRlhf()
    {
        double[] returns = new double[4], advantages = new double[4];
        MonteCarlo.Returns([0, 4], Check.AllTrue(4), [-0.01, -0.02, 0.03, 1], 1, returns);
        Check.Close(returns, [1.0, 1.01, 1.03, 1.0]);
        ReinforcePlusPlus.Advantages([0, 4], Check.AllTrue(4), [-0.01, -0.02, 0.03, 1], 1, advantages);
        Moments m = Moments.Of(advantages);
        Assert.That(m.Mean, Is.Zero.Within(1e-9));
        Assert.That(m.SampleVariance, Is.EqualTo(1).Within(1e-3), "the returns' variance is 2e−4, beside 1e−8");
    }
}

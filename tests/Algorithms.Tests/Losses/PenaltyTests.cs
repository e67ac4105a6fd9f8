namespace Rlhf.Algorithms.Tests;

/// <summary>Terms that are added to a policy loss: entropy bonus and KL to the reference.</summary>
[TestFixture]
public sealed class PenaltyTests
{
    [Test]
    public void KlPenaltyEqualsNaiveAndFiniteDifference([Values] KlEstimator estimator)
    {
        RandomBatch b = new(21);
        double[] gradient = new double[b.Tokens];
        KlPenaltySums sums = KlPenalty.Add(estimator, 0.3, b.Mask, b.LogProbs, b.ReferenceLogProbs, b.Weights, gradient);
        double Naive(double[] p) => Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t => 0.3 * b.Weights[t] * NaiveKl(estimator, p[t], b.ReferenceLogProbs[t]));
        Assert.That(sums.Loss, Is.EqualTo(Naive(b.LogProbs)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, b.LogProbs, gradient);
    }

    [Test]
    public void KlPenaltyIgnoresMaskedJunkAndAddsToTheGradient([Values] KlEstimator estimator)
    {
        RandomBatch clean = new(22), spoiled = clean.Spoiled(22);
        double[] a = [.. Enumerable.Repeat(1.0, clean.Tokens)], b = [.. a];
        KlPenaltySums first = KlPenalty.Add(estimator, 0.3, clean.Mask, clean.LogProbs, clean.ReferenceLogProbs, clean.Weights, a);
        KlPenaltySums second = KlPenalty.Add(estimator, 0.3, spoiled.Mask, spoiled.LogProbs, spoiled.ReferenceLogProbs, spoiled.Weights, b);
        Assert.That(second, Is.EqualTo(first));
        Check.SameBits(b, a);
        Assert.That(a.Where((_, t) => !clean.Mask[t]), Is.All.EqualTo(1.0));
    }

    [Test]
    public void K2HasTheGradientOfTheTrueKlInExpectation()
    {
        // π over 3 symbols: Σ_a π(a) k2'(a) ∇log π(a) = ∇KL; k1 gives 0. With log π(a) = z_a − lse, ∂/∂z_j log π(a) = [a = j] − π_j.
        double[] z = [0.3, -0.7, 1.1], q = [0.2, 0.5, 0.3];
        double[] lp = LogSoftmax(z), p = [.. lp.Select(Math.Exp)];
        double[] k1 = new double[3], k2 = new double[3], exact = new double[3];
        double kl = p.Select((x, a) => x * (lp[a] - Math.Log(q[a]))).Sum();
        for (int j = 0; j < 3; j++)
        {
            exact[j] = p[j] * (lp[j] - Math.Log(q[j]) - kl);
            for (int a = 0; a < 3; a++)
            {
                double score = (a == j ? 1 : 0) - p[j];
                k1[j] += p[a] * KlEstimators.Gradient(KlEstimator.K1, lp[a], Math.Log(q[a])) * score;
                k2[j] += p[a] * KlEstimators.Gradient(KlEstimator.K2, lp[a], Math.Log(q[a])) * score;
            }
        }

        Check.Close(k2, exact, Tolerance.SameFormula);
        Check.Close(k1, [0, 0, 0], Tolerance.SameFormula);
    }

    [Test]
    public void EntropyBonusEqualsNaiveAndFiniteDifference()
    {
        RandomBatch b = new(23);
        double[] gradient = new double[b.Tokens];
        double loss = EntropyBonus.Evaluate(0.01, b.Mask, b.Entropies, b.Weights, gradient);
        double Naive(double[] h) => -0.01 * Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t => b.Weights[t] * h[t]);
        Assert.That(loss, Is.EqualTo(Naive(b.Entropies)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, b.Entropies, gradient);
    }

    [Test]
    public void EntropyBonusIgnoresMaskedJunkAndZeroCoefficientIsExactlyZero()
    {
        RandomBatch clean = new(24), spoiled = clean.Spoiled(24);
        double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
        Assert.That(
            EntropyBonus.Evaluate(0.01, spoiled.Mask, spoiled.Entropies, spoiled.Weights, b),
            Is.EqualTo(EntropyBonus.Evaluate(0.01, clean.Mask, clean.Entropies, clean.Weights, a)));
        Check.SameBits(b, a);
        Assert.That(EntropyBonus.Evaluate(0, clean.Mask, clean.Entropies, clean.Weights, a), Is.Zero);
        Assert.That(a, Is.All.EqualTo(0.0));
    }

    private static double NaiveKl(KlEstimator estimator, double p, double q) => estimator switch
    {
        KlEstimator.K1 => p - q,
        KlEstimator.K2 => Math.Pow(p - q, 2) / 2,
        KlEstimator.K3 => (Math.Exp(q) / Math.Exp(p)) - 1 - (q - p),
        _ => Math.Sqrt(Math.Pow(p - q, 2)),
    };

    private static double[] LogSoftmax(double[] z)
    {
        double lse = Math.Log(z.Sum(Math.Exp));
        return [.. z.Select(x => x - lse)];
    }
}

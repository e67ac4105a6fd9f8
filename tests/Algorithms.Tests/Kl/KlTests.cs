namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class KlTests
{
    [Test]
    public void EstimatorsOfTrlAndNemo()
    {
        // TRL's test of compute_rewards: log p and reference, row by row.
        double[] logProbs = [0.5, 0.2, 0.1, 0.6, 0.2, 0.1], reference = [0.4, 0.3, 0, 0.7, 0.1, 0.3];
        double[] Of(KlEstimator estimator) => [.. logProbs.Zip(reference, (p, q) => KlEstimators.Estimate(estimator, p, q))];
        Check.Close(Of(KlEstimator.K1), [0.1, -0.1, 0.1, -0.1, 0.1, -0.2]);
        Check.Close(Of(KlEstimator.K2), [0.005, 0.005, 0.005, 0.005, 0.005, 0.02]);
        Assert.That(KlEstimators.Estimate(KlEstimator.K3, 0, -1), Is.EqualTo(0.367879).Within(1e-6));
        Assert.That(KlEstimators.Estimate(KlEstimator.K3, -2, -1), Is.EqualTo(0.718282).Within(1e-6));
    }

    [Test]
    public void K1AndK3HaveTheTrueKlAsExpectation()
    {
        // π = (.9, .1), π_ref = (.5, .5): KL = .368064; trlX's exp(d) − 1 − d under π would give .272.
        double[] p = [0.9, 0.1], q = [0.5, 0.5];
        double exact = p.Zip(q, (x, y) => x * Math.Log(x / y)).Sum();
        foreach (KlEstimator estimator in new[] { KlEstimator.K1, KlEstimator.K3 })
            Assert.That(
                p.Select((x, a) => x * KlEstimators.Estimate(estimator, Math.Log(x), Math.Log(q[a]))).Sum(),
                Is.EqualTo(exact).Within(Tolerance.SameFormula));
    }

    [Test]
    public void AnExplodedTokenStaysFinite()
    {
        Assert.That(KlEstimators.Estimate(KlEstimator.K3, -1e4, -1), Is.EqualTo(Math.Exp(20) - 1 - 20));
        Assert.That(KlEstimators.Gradient(KlEstimator.K3, -1e4, -1), Is.Zero);
    }

    [Test]
    public void AdaptiveControllerOfTrl()
    {
        AdaptiveKlController controller = new(0.2, target: 6, horizon: 1e4);
        double[] kl = [12, 6, 3, 6.6, 5.4, 0], expected = [0.201024, 0.201024, 0.199994757, 0.200506744, 0.199993446, 0.198969480];
        for (int i = 0; i < kl.Length; i++)
        {
            controller.Update(kl[i], 256);
            Assert.That(controller.Coefficient, Is.EqualTo(expected[i]).Within(Tolerance.PublishedNineDigits));
        }

        AdaptiveKlController resumed = new(controller.Coefficient, 6, 1e4);
        resumed.Update(7, 256);
        controller.Update(7, 256);
        Assert.That(resumed.Coefficient, Is.EqualTo(controller.Coefficient));
    }

    /// <summary>1 − 0.2 · 64/10 = −0.28: the formula alone would turn the penalty around, and never get back.</summary>
    [Test]
    public void ABatchLargerThanTheHorizonLeavesTheCoefficientPositive()
    {
        AdaptiveKlController controller = new(0.25, target: 6, horizon: 10);
        controller.Update(0, 64);
        Assert.That(controller.Coefficient, Is.EqualTo(0.125));
        controller.Update(12, 64);
        Assert.That(controller.Coefficient, Is.EqualTo(0.125 * (1 + (0.2 * 64 / 10))).Within(Tolerance.SameFormula));
    }

    [Test]
    public void FixedAndDoublingControllers()
    {
        FixedKlController still = new(0.1);
        still.Update(100, 256);
        Assert.That(still.Coefficient, Is.EqualTo(0.1));
        // Target 1: below 2/3 halves, above 3/2 doubles, between stays.
        DoublingKlController doubling = new(1, 1);
        double[] seen = [.. new[] { 0.6, 0.7, 1.4, 1.6, 1.6 }.Select(kl =>
        {
            doubling.Update(kl, 1);
            return doubling.Coefficient;
        })];
        Assert.That(seen, Is.EqualTo(new[] { 0.5, 0.5, 0.5, 1, 2 }));
    }
}

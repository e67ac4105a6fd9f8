namespace Rlhf.Algorithms.Tests;

/// <summary>What the papers say of their losses, beyond the formula.</summary>
[TestFixture]
public sealed class PolicyLossPropertyTests
{
    [Test]
    public void AtRatioOneEveryMethodHasTheGradientOfReinforce()
    {
        // Before the first update π = π_old; clip, penalty, CISPO and importance weights are then −A. (GSPO spreads A over its sequence.)
        RandomBatch b = new(81);
        b.LogProbs = [.. b.OldLogProbs];
        double[] expected = new double[b.Tokens], found = new double[b.Tokens];
        new Reinforce().Evaluate(b.Policy(), expected);
        foreach (IPolicyLoss loss in (IPolicyLoss[])[new PpoClip(), new PpoClip(0.2, 0.28, 3), new Cispo(), new OffPolicyGradient(2), new PpoPenalty(new FixedKlController(5)), new A2c()])
        {
            PolicyLossSums sums = loss.Evaluate(b.Policy(), found);
            Check.Close(found, expected, Tolerance.SameFormula);
            Assert.That((sums.ClipFraction, sums.RatioDeviationMax, sums.ApproximateKlK3), Is.EqualTo((0.0, 0.0, 0.0)));
        }
    }

    [Test]
    public void GspoOnSequencesOfOneTokenIsPpoClip()
    {
        double[] old = [-1, -2, -0.5, -1.5], current = [-1.4, -1.9, -0.6, -1], advantages = [1, -1, 0.5, 2], a = new double[4], b = new double[4];
        PolicyBatch batch = new()
        {
            Offsets = [0, 1, 2, 3, 4],
            ResponseMask = Check.AllTrue(4),
            LogProbs = current,
            OldLogProbs = old,
            Advantages = advantages,
            Weights = [0.25, 0.25, 0.25, 0.25],
        };
        Assert.That(new Gspo(0.2, 0.2).Evaluate(batch, a).Loss, Is.EqualTo(new PpoClip(0.2).Evaluate(batch, b).Loss).Within(Tolerance.SameFormula));
        Check.Close(a, b, Tolerance.SameFormula);
    }

    [Test]
    public void PpoPenaltyReadsTheControllerEveryTime()
    {
        RandomBatch b = new(82);
        DoublingKlController controller = new(1, target: 0.01);
        PpoPenalty loss = new(controller);
        double[] gradient = new double[b.Tokens];
        PolicyLossSums one = loss.Evaluate(b.Policy(corrected: false), gradient);
        controller.Update(1, 1);
        PolicyLossSums two = loss.Evaluate(b.Policy(corrected: false), gradient);
        // β 1 → 2 adds one KL term: the mean k3 under token-mean weights.
        Assert.That(two.Loss - one.Loss, Is.EqualTo(one.ApproximateKlK3).Within(Tolerance.SameFormula));
    }

    [Test]
    public void AnExplodedRatioStaysFinite()
    {
        double[] gradient = new double[2];
        foreach (PolicyLossCase c in PolicyLossCases.All())
        {
            PolicyLossSums sums = c.Loss.Evaluate(
                new PolicyBatch
                {
                    Offsets = [0, 2],
                    ResponseMask = [true, true],
                    LogProbs = [-1, -1e4],
                    OldLogProbs = [-1e4, -1],
                    Advantages = [0, -1],
                    Weights = [0.5, 0.5],
                },
                gradient);
            Assert.That(double.IsFinite(sums.Loss), c.Name);
            Assert.That(gradient, Is.All.Matches<double>(double.IsFinite), c.Name);
        }
    }

    [Test]
    public void BeyondTheCutThereIsNoGradient()
    {
        // log ρ = 30 with A = −1: no clip takes this side, the loss stands at e²⁰ and its slope is 0.
        foreach (IPolicyLoss loss in (IPolicyLoss[])[new PpoClip(), new Gspo(0.2, 0.2), new PpoPenalty(new FixedKlController(1))])
        {
            double[] gradient = [double.NaN];
            PolicyLossSums sums = loss.Evaluate(
                new PolicyBatch { Offsets = [0, 1], ResponseMask = [true], LogProbs = [-1], OldLogProbs = [-31], Advantages = [-1], Weights = [1] },
                gradient);
            Assert.That(sums.Loss, Is.GreaterThanOrEqualTo(Math.Exp(20)), loss.GetType().Name);
            Assert.That(gradient[0], Is.Zero, loss.GetType().Name);
        }
    }

    [Test]
    public void LikelihoodIsTheMeanNegativeLogProb()
    {
        RandomBatch clean = new(83), spoiled = clean.Spoiled(83);
        double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
        double loss = LikelihoodLoss.Evaluate(2, clean.Mask, clean.LogProbs, clean.Weights, a);
        double Naive(double[] p) => -2 * p.Where((_, t) => clean.Mask[t]).Average();
        Assert.That(loss, Is.EqualTo(Naive(clean.LogProbs)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, clean.LogProbs, a);
        Assert.That(LikelihoodLoss.Evaluate(2, spoiled.Mask, spoiled.LogProbs, spoiled.Weights, b), Is.EqualTo(loss));
        Check.SameBits(b, a);
    }
}

namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class PreferenceLossTests
{
    private const int Pairs = 5;

    public sealed record Case(string Name, IPreferenceLoss Loss, Func<double, double, double, double, double> Naive)
    {
        public override string ToString() => Name;
    }

    internal static IEnumerable<Case> Cases()
    {
        yield return new("dpo", new Dpo(0.3), (c, r, rc, rr) => Math.Log(1 + Math.Exp(-0.3 * (c - rc - (r - rr)))));
        yield return new("cdpo", new Dpo(0.3, 0.1), (c, r, rc, rr) =>
            (0.9 * Math.Log(1 + Math.Exp(-0.3 * (c - rc - (r - rr))))) + (0.1 * Math.Log(1 + Math.Exp(0.3 * (c - rc - (r - rr))))));
        yield return new("ipo", new Ipo(0.3), (c, r, rc, rr) => Math.Pow(c - rc - (r - rr) - (1 / 0.6), 2));
        yield return new("simpo", new SimPo(2, 0.5), (c, r, _, _) => Math.Log(1 + Math.Exp(-((2 * c) - (2 * r) - 0.5))));
        yield return new("orpo", new Orpo(0.4), (c, r, _, _) =>
        {
            double odds = Math.Exp(c) / (1 - Math.Exp(c)) / (Math.Exp(r) / (1 - Math.Exp(r)));
            return -c - (0.4 * Math.Log(odds / (1 + odds)));
        });
    }

    [TestCaseSource(nameof(Cases))]
    public void EqualsNaiveAndFiniteDifference(Case c)
    {
        foreach (ulong seed in new ulong[] { 91, 92, 93 })
        {
            (double[] chosen, double[] rejected, double[] refChosen, double[] refRejected) = Draw(seed);
            double[] up = new double[Pairs], down = new double[Pairs];
            PreferenceLossSums sums = c.Loss.Evaluate(Batch(chosen, rejected, refChosen, refRejected), 1.0 / Pairs, up, down);
            double Naive(double[] a, double[] b) => a.Select((x, i) => c.Naive(x, b[i], refChosen[i], refRejected[i])).Average();
            Assert.That(sums.Loss, Is.EqualTo(Naive(chosen, rejected)).Within(Tolerance.SameFormula));
            Check.Gradient(x => Naive(x, rejected), chosen, up);
            Check.Gradient(x => Naive(chosen, x), rejected, down);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void MicroBatchesAddUp(Case c)
    {
        (double[] chosen, double[] rejected, double[] refChosen, double[] refRejected) = Draw(94);
        double[] up = new double[Pairs], down = new double[Pairs], up2 = new double[Pairs], down2 = new double[Pairs];
        PreferenceLossSums whole = c.Loss.Evaluate(Batch(chosen, rejected, refChosen, refRejected), 1.0 / Pairs, up, down);
        PreferenceLossSums parts = default;
        foreach (Range r in new[] { 0..2, 2..5 })
            parts += c.Loss.Evaluate(Batch(chosen[r], rejected[r], refChosen[r], refRejected[r]), 1.0 / Pairs, up2.AsSpan(r), down2.AsSpan(r));
        Assert.That(parts.Loss, Is.EqualTo(whole.Loss).Within(Tolerance.SameFormula));
        Assert.That((parts.Pairs, parts.Accuracy), Is.EqualTo((whole.Pairs, whole.Accuracy)));
        Assert.That(parts.Margin, Is.EqualTo(whole.Margin).Within(Tolerance.SameFormula));
        Check.SameBits(up2, up);
        Check.SameBits(down2, down);
    }

    [Test]
    public void DpoAndIpoOfNemoRl()
    {
        // h = 0, 10, 20; β .1: −log σ(0), −log σ(1), −log σ(2); IPO (h − 5)².
        double[] chosen = [-0.5, -10, -1], rejected = [-0.1, -30, -21], refChosen = [-0.5, -10.1, -0.1], refRejected = [-0.1, -20.1, -0.1];
        Check.Close(Each(new Dpo(0.1), chosen, rejected, refChosen, refRejected), [0.693147, 0.313262, 0.126928], 1e-6);
        Check.Close(Each(new Ipo(0.1), chosen, rejected, refChosen, refRejected), [25, 25, 225], 1e-9);
        PreferenceLossSums sums = new Dpo(0.1).Evaluate(Batch(chosen, rejected, refChosen, refRejected), 1, new double[3], new double[3]);
        Assert.That(sums.Margin, Is.EqualTo(1).Within(Tolerance.SameFormula), "β (0 + 10 + 20)/3");
    }

    [Test]
    public void FarValuesStayFinite()
    {
        foreach (Case c in Cases())
        {
            double[] up = new double[2], down = new double[2];
            PreferenceLossSums sums = c.Loss.Evaluate(Batch([-1e4, 0], [0, -1e4], [-1, -1], [-1, -1]), 1, up, down);
            Assert.That(double.IsFinite(sums.Loss), c.Name);
            Assert.That(up.Concat(down), Is.All.Matches<double>(double.IsFinite), c.Name);
        }
    }

    [Test]
    public void KtoEqualsNaiveAndFiniteDifference()
    {
        TestRandom random = new(95);
        double[] p = random.Normals(6, 4), q = random.Normals(6, 4), gradient = new double[6];
        bool[] good = [true, false, false, true, true, false];
        const double Z = 0.7;
        Kto loss = new(0.2, 1.5, 0.8);
        double Sigma(double x) => 1 / (1 + Math.Exp(-x));
        double Naive(double[] x) => x.Select((l, i) => good[i] ? 1.5 * (1 - Sigma(0.2 * (l - q[i] - Z))) : 0.8 * (1 - Sigma(0.2 * (Z - (l - q[i]))))).Average();
        Assert.That(loss.Evaluate(p, q, good, Z, 1.0 / 6, gradient), Is.EqualTo(Naive(p)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, p, gradient);
        Assert.That(Kto.ReferencePoint([1, 2], [0, 0]), Is.EqualTo(1.5));
        Assert.That(Kto.ReferencePoint([-1, -2], [0, 0]), Is.Zero, "a KL is not negative");
        Assert.That(Kto.ReferencePoint([], []), Is.Zero);
    }

    [Test]
    public void GradientReachesTheTokens([Values] SequenceReduction reduction)
    {
        RandomBatch clean = new(96), spoiled = clean.Spoiled(96);
        double[] perSequence = new double[clean.Sequences], again = new double[clean.Sequences], gradient = new double[clean.Tokens];
        SequenceLogProbs.Reduce(reduction, clean.Offsets, clean.Mask, clean.LogProbs, perSequence);
        SequenceLogProbs.Reduce(reduction, spoiled.Offsets, spoiled.Mask, spoiled.LogProbs, again);
        Check.SameBits(again, perSequence);
        // f = Σ_i (x_i)² of the reduced values.
        SequenceLogProbs.SpreadGradient(reduction, clean.Offsets, clean.Mask, [.. perSequence.Select(x => 2 * x)], gradient);
        Check.Gradient(
            p => Enumerable.Range(0, clean.Sequences).Sum(i =>
            {
                double[] trained = [.. clean.TrainedOf(i).Select(t => p[t])];
                return trained.Length == 0 ? 0 : Math.Pow(reduction == SequenceReduction.Sum ? trained.Sum() : trained.Average(), 2);
            }),
            clean.LogProbs,
            gradient);
    }

    [Test]
    public void MissingReferenceIsRefused() =>
        Assert.That(
            Assert.Throws<ArgumentException>(() => new Dpo().Evaluate(Batch([-1], [-2], [], []), 1, new double[1], new double[1]))!.Message,
            Does.StartWith("ReferenceChosen has 0 elements; it must have 1"));

    private static (double[] Chosen, double[] Rejected, double[] ReferenceChosen, double[] ReferenceRejected) Draw(ulong seed)
    {
        TestRandom random = new(seed);
        double[] Negative() => [.. random.Normals(Pairs).Select(x => -0.3 - Math.Abs(2 * x))];
        return (Negative(), Negative(), Negative(), Negative());
    }

    private static PreferenceBatch Batch(double[] chosen, double[] rejected, double[] referenceChosen, double[] referenceRejected) => new()
    {
        Chosen = chosen,
        Rejected = rejected,
        ReferenceChosen = referenceChosen,
        ReferenceRejected = referenceRejected,
    };

    private static double[] Each(IPreferenceLoss loss, double[] chosen, double[] rejected, double[] refChosen, double[] refRejected) =>
        [.. chosen.Select((_, i) => loss.Evaluate(Batch([chosen[i]], [rejected[i]], [refChosen[i]], [refRejected[i]]), 1, new double[1], new double[1]).Loss)];
}

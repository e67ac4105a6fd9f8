namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class RankedRewardLossTests
{
    private static readonly int[] Offsets = [0, 4, 4, 6, 7];

    [Test]
    public void PlackettLuceEqualsNaiveAndFiniteDifference()
    {
        double[] scores = new TestRandom(101).Normals(7), gradient = new double[7];
        // Probability of the whole order: draw without replacement, the best first.
        double Naive(double[] s) => Groups(s).Sum(g => -Math.Log(g.Select((x, k) => Math.Exp(x) / g.Skip(k).Sum(Math.Exp)).Aggregate(1.0, (a, b) => a * b))) / 4;
        Assert.That(PlackettLuceLoss.Evaluate(Offsets, scores, 0.25, gradient), Is.EqualTo(Naive(scores)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, scores, gradient);
    }

    [Test]
    public void PlackettLuceOfTwoIsBradleyTerry()
    {
        double[] up = new double[1], down = new double[1], both = new double[2];
        double pair = PairwiseRewardLoss.Evaluate([0.3], [1.1], [], 1, up, down);
        Assert.That(PlackettLuceLoss.Evaluate([0, 2], [0.3, 1.1], 1, both), Is.EqualTo(pair).Within(Tolerance.SameFormula));
        Check.Close(both, [up[0], down[0]], Tolerance.SameFormula);
    }

    [Test]
    public void BestOfKEqualsNaiveAndFiniteDifference()
    {
        int[] offsets = [0, 4, 6, 7], best = [2, 0, 0];
        double[] scores = new TestRandom(102).Normals(7), gradient = new double[7];
        double Naive(double[] s) => Enumerable.Range(0, 3).Sum(i =>
        {
            double[] g = s[offsets[i]..offsets[i + 1]];
            return -Math.Log(Math.Exp(g[best[i]]) / g.Sum(Math.Exp));
        }) / 3;
        Assert.That(BestOfKLoss.Evaluate(offsets, scores, best, 1.0 / 3, gradient), Is.EqualTo(Naive(scores)).Within(Tolerance.SameFormula));
        Check.Gradient(Naive, scores, gradient);
        Assert.That(
            Assert.Throws<ArgumentOutOfRangeException>(() => BestOfKLoss.Evaluate([0, 2], [1, 2], [2], 1, new double[2]))!.Message,
            Does.StartWith("best is 2; it must be in 0..1, the group's responses."));
    }

    [Test]
    public void DiscriminatorEqualsNaiveAndFiniteDifference()
    {
        TestRandom random = new(103);
        double[] human = random.Normals(3), policy = random.Normals(5), up = new double[3], down = new double[5];
        double D(double x) => 1 / (1 + Math.Exp(-x));
        double Naive(double[] h, double[] p) => -0.5 * (h.Average(x => Math.Log(D(x))) + p.Average(x => Math.Log(1 - D(x))));
        Assert.That(DiscriminatorLoss.Evaluate(human, policy, 1.0 / 3, 1.0 / 5, up, down), Is.EqualTo(Naive(human, policy)).Within(Tolerance.SameFormula));
        Check.Gradient(x => Naive(x, policy), human, up);
        Check.Gradient(x => Naive(human, x), policy, down);
    }

    private static IEnumerable<double[]> Groups(double[] s) => Enumerable.Range(0, Offsets.Length - 1).Select(i => s[Offsets[i]..Offsets[i + 1]]);
}

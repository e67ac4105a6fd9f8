namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class RewardLossTests
{
    private const int N = 6;
    private const double Scale = 1.0 / N;

    [Test]
    public void PairwiseEqualsNaiveAndFiniteDifference()
    {
        TestRandom random = new(41);
        double[] chosen = random.Normals(N, 2), rejected = random.Normals(N, 2), margins = random.Normals(N, 0.3);
        double[] up = new double[N], down = new double[N];
        double loss = PairwiseRewardLoss.Evaluate(chosen, rejected, margins, Scale, up, down);
        double Naive(double[] c, double[] r) => c.Select((x, i) => Math.Log(1 + Math.Exp(-(x - r[i] - margins[i])))).Average();
        Assert.That(loss, Is.EqualTo(Naive(chosen, rejected)).Within(Tolerance.SameFormula));
        Check.Gradient(x => Naive(x, rejected), chosen, up);
        Check.Gradient(x => Naive(chosen, x), rejected, down);
    }

    [Test]
    public void PairwiseOfEqualScoresIsLogTwoAndDoesNotOverflow()
    {
        double[] up = new double[1], down = new double[1];
        Assert.That(PairwiseRewardLoss.Evaluate([3], [3], [], 1, up, down), Is.EqualTo(Math.Log(2)).Within(Tolerance.SameFormula));
        Assert.That(PairwiseRewardLoss.Evaluate([-1e6], [1e6], [], 1, up, down), Is.EqualTo(2e6));
        Assert.That((up[0], down[0]), Is.EqualTo((-1.0, 1.0)));
        Assert.That(PairwiseRewardLoss.Evaluate([1e6], [-1e6], [], 1, up, down), Is.Zero);
    }

    [Test]
    public void CentringAddsToTheGradient()
    {
        TestRandom random = new(42);
        double[] chosen = random.Normals(N), rejected = random.Normals(N), up = new double[N], down = new double[N];
        double loss = CentringPenalty.Add(chosen, rejected, 0.01, Scale, up, down);
        double Naive(double[] c, double[] r) => 0.01 * c.Zip(r, (x, y) => Math.Pow(x + y, 2)).Average();
        Assert.That(loss, Is.EqualTo(Naive(chosen, rejected)).Within(Tolerance.SameFormula));
        Check.Gradient(x => Naive(x, rejected), chosen, up);
        Check.Gradient(x => Naive(chosen, x), rejected, down);
        CentringPenalty.Add(chosen, rejected, 0.01, Scale, up, down);
        Check.Gradient(x => 2 * Naive(x, rejected), chosen, up);
    }

    [Test]
    public void BinaryEqualsNaiveAndFiniteDifference()
    {
        TestRandom random = new(43);
        double[] scores = random.Normals(N, 3), labels = [0, 1, 0.5, 1, 0, 0.9], gradient = new double[N];
        double loss = BinaryRewardLoss.Evaluate(scores, labels, Scale, gradient);
        double Naive(double[] s) => s.Select((x, i) =>
        {
            double p = 1 / (1 + Math.Exp(-x));
            return -((labels[i] * Math.Log(p)) + ((1 - labels[i]) * Math.Log(1 - p)));
        }).Average();
        Assert.That(loss, Is.EqualTo(Naive(scores)).Within(1e-10), "the naive form loses digits in 1 − p");
        Check.Gradient(Naive, scores, gradient);
        Assert.That(BinaryRewardLoss.Evaluate([1e9], [1], 1, new double[1]), Is.Zero);
        Assert.Throws<ArgumentOutOfRangeException>(() => BinaryRewardLoss.Evaluate([1], [2], 1, new double[1]));
    }

    [Test]
    public void RegressionEqualsNaiveAndFiniteDifference()
    {
        TestRandom random = new(44);
        double[] scores = random.Normals(N, 2), targets = random.Normals(N, 2), gradient = new double[N];
        double Squared(double[] s) => s.Zip(targets, (x, y) => (x - y) * (x - y) / 2).Average();
        Assert.That(RegressionRewardLoss.Squared(scores, targets, Scale, gradient), Is.EqualTo(Squared(scores)).Within(Tolerance.SameFormula));
        Check.Gradient(Squared, scores, gradient);
        double Huber(double[] s) => s.Zip(targets, (x, y) => Math.Abs(x - y) < 0.7 ? (x - y) * (x - y) / 2 : (0.7 * Math.Abs(x - y)) - 0.245).Average();
        Assert.That(RegressionRewardLoss.Huber(scores, targets, 0.7, Scale, gradient), Is.EqualTo(Huber(scores)).Within(Tolerance.SameFormula));
        Check.Gradient(Huber, scores, gradient);
    }
}

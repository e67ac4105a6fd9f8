namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class QLearningTests
{
    private static readonly IlqlOptions Options = new() { Tau = 0.8, Gamma = 0.9, CqlCoefficient = 0.3, AwacCoefficient = 0.5, AwacBeta = 0.7 };

    /// <summary>Columns of ILQL on a random ragged batch; a second object holds what is differentiated.</summary>
    private sealed class Columns(ulong seed)
    {
        public RandomBatch Batch { get; set; } = new(seed);
        public double[] Q1 { get; set; } = new TestRandom(seed + 1).Normals(new RandomBatch(seed).Tokens);
        public double[] Q2 { get; set; } = new TestRandom(seed + 2).Normals(new RandomBatch(seed).Tokens);
        public double[] Lse1 { get; set; } = new TestRandom(seed + 3).Normals(new RandomBatch(seed).Tokens);
        public double[] Lse2 { get; set; } = new TestRandom(seed + 4).Normals(new RandomBatch(seed).Tokens);
        public double[] TargetQ { get; set; } = new TestRandom(seed + 5).Normals(new RandomBatch(seed).Tokens);

        public double[][] Gradients { get; private set; } = [];

        public IlqlLoss Evaluate(int first = 0, int last = -1)
        {
            last = last < 0 ? Batch.Sequences : last;
            Range r = Batch.Offsets[first]..Batch.Offsets[last];
            int n = Batch.Offsets[last] - Batch.Offsets[first];
            Gradients = [.. Enumerable.Range(0, 6).Select(_ => Enumerable.Repeat(double.NaN, n).ToArray())];
            return Ilql.Evaluate(
                Options,
                new IlqlBatch
                {
                    Offsets = Batch.Offsets[first..(last + 1)].Select(o => o - Batch.Offsets[first]).ToArray(),
                    ResponseMask = Batch.Mask[r],
                    Rewards = Batch.Rewards[r],
                    Q1 = Q1[r],
                    Q2 = Q2[r],
                    LogSumExpQ1 = Lse1[r],
                    LogSumExpQ2 = Lse2[r],
                    TargetQ = TargetQ[r],
                    Values = Batch.Values[r],
                    StateValues = Batch.OldValues[r],
                    LogProbs = Batch.LogProbs[r],
                    Weights = Batch.Weights[r],
                },
                new IlqlGradients
                {
                    Q1 = Gradients[0],
                    Q2 = Gradients[1],
                    LogSumExpQ1 = Gradients[2],
                    LogSumExpQ2 = Gradients[3],
                    Values = Gradients[4],
                    LogProbs = Gradients[5],
                },
                new double[n]);
        }

        public double Naive(double[] q1, double[] q2, double[] lse1, double[] lse2, double[] v, double[] p)
        {
            double loss = 0;
            for (int i = 0; i < Batch.Sequences; i++)
            {
                int[] steps = [.. Batch.TrainedOf(i)];
                for (int k = 0; k < steps.Length; k++)
                {
                    int t = steps[k];
                    double y = Batch.Rewards[t] + (k + 1 < steps.Length ? 0.9 * Batch.OldValues[steps[k + 1]] : 0);
                    double u = TargetQ[t] - v[t], constant = TargetQ[t] - Batch.Values[t];
                    loss += Batch.Weights[t] * (Math.Pow(q1[t] - y, 2) + Math.Pow(q2[t] - y, 2)
                        + (u > 0 ? 0.8 * u * u : 0.2 * u * u)
                        + (0.3 * (lse1[t] - q1[t] + lse2[t] - q2[t]))
                        - (0.5 * Math.Pow(Math.E, 0.7 * constant) * p[t]));
                }
            }

            return loss;
        }
    }

    [TestCase(111ul)]
    [TestCase(112ul)]
    [TestCase(113ul)]
    public void IlqlEqualsNaiveAndFiniteDifference(ulong seed)
    {
        Columns c = new(seed);
        double loss = c.Evaluate().Total;
        double[][] at = [c.Q1, c.Q2, c.Lse1, c.Lse2, c.Batch.Values, c.Batch.LogProbs];
        double Naive(double[][] x) => c.Naive(x[0], x[1], x[2], x[3], x[4], x[5]);
        Assert.That(loss, Is.EqualTo(Naive(at)).Within(Tolerance.SameFormula));
        for (int k = 0; k < 6; k++)
            Check.Gradient(x => Naive([.. at.Select((column, j) => j == k ? x : column)]), at[k], c.Gradients[k]);
    }

    [Test]
    public void IlqlIgnoresMaskedJunk()
    {
        Columns clean = new(114), spoiled = new(114);
        RandomBatch b = clean.Batch;
        spoiled.Batch = b.Spoiled(114);
        spoiled.Q1 = b.Spoil(clean.Q1);
        spoiled.Q2 = b.Spoil(clean.Q2, 1);
        spoiled.Lse1 = b.Spoil(clean.Lse1, 2);
        spoiled.Lse2 = b.Spoil(clean.Lse2, 3);
        spoiled.TargetQ = b.Spoil(clean.TargetQ, 4);
        Assert.That(spoiled.Evaluate(), Is.EqualTo(clean.Evaluate()));
        for (int k = 0; k < 6; k++) Check.SameBits(spoiled.Gradients[k], clean.Gradients[k]);
        spoiled.Batch.Mask = new bool[b.Tokens];
        Assert.That(spoiled.Evaluate(), Is.EqualTo(default(IlqlLoss)));
    }

    [Test]
    public void IlqlMicroBatchesAddUp()
    {
        Columns c = new(115);
        IlqlLoss whole = c.Evaluate();
        double[][] all = c.Gradients;
        IlqlLoss left = c.Evaluate(0, 4);
        double[][] first = c.Gradients;
        IlqlLoss right = c.Evaluate(4);
        Assert.That((left + right).Total, Is.EqualTo(whole.Total).Within(Tolerance.SameFormula));
        for (int k = 0; k < 6; k++) Check.SameBits([.. first[k], .. c.Gradients[k]], all[k]);
    }

    [Test]
    public void ExpectileNearOneFindsTheBestActionOfTheData()
    {
        // One state, actions of value 0, 0, 0 and 1: the minimum of the loss over V moves from the mean ¼ towards 1.
        double[] q = [0, 0, 0, 1];
        double Minimum(double tau)
        {
            double v = 0;
            for (int i = 0; i < 20000; i++)
            {
                double[] gradient = new double[4];
                ExpectileLoss.Add(Check.AllTrue(4), [v, v, v, v], q, [0.25, 0.25, 0.25, 0.25], tau, gradient);
                v -= 0.5 * gradient.Sum();
            }

            return v;
        }

        // First-order condition: τ (1 − V) = 3 (1 − τ) V.
        foreach (double tau in new[] { 0.5, 0.7, 0.99 }) Assert.That(Minimum(tau), Is.EqualTo(tau / (tau + (3 * (1 - tau)))).Within(1e-9));
    }

    [Test]
    public void MaxAndDoubleTargets()
    {
        double[] online = [1, 5, 2], target = [7, 3, 4], y = new double[3];
        Assert.That((BootstrapTargets.Max(target), BootstrapTargets.Double(online, target)), Is.EqualTo((7.0, 3.0)));
        // γ ½, gap at index 1: y = 1 + ½·8, gap, 2 + 0.
        BootstrapTargets.Fill([0, 3], [true, false, true], [1, double.NaN, 2], [4, double.NaN, 8], 0.5, y);
        Assert.That(y, Is.EqualTo(new double[] { 5, 0, 2 }));
    }

    [Test]
    public void DecodingAndPolyak()
    {
        double[] shifted = new double[2];
        IlqlDecoding.Shift([1, 2], [3, 5], [4, 1], value: 2, beta: 0.5, shifted);
        Assert.That(shifted, Is.EqualTo(new[] { 1.5, 1.5 })); // 1 + ½(3 − 2), 2 + ½(1 − 2)
        float[] slow = [1, 2];
        PolyakAverage.Update(slow, [3, 2], 0.25);
        Assert.That(slow, Is.EqualTo(new float[] { 1.5f, 2 }));
    }
}

namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class PolicyLossTests
{
    private static readonly ulong[] Seeds = [1, 2, 3, 4, 5];

    private static readonly LossAggregation[] Aggregations =
        [LossAggregation.TokenMean, LossAggregation.MeanOfSequenceMeans, LossAggregation.MeanOfSequenceSums, LossAggregation.ConstantLength];

    private static IEnumerable<PolicyLossCase> Cases() => PolicyLossCases.All();

    [TestCaseSource(nameof(Cases))]
    public void EqualsNaiveImplementation(PolicyLossCase c)
    {
        foreach (ulong seed in Seeds)
            foreach (LossAggregation aggregation in Aggregations)
            {
                RandomBatch b = new(seed, logProbSpread: c.Spread);
                b.Weights = b.Weight(aggregation);
                PolicyLossSums sums = c.Loss.Evaluate(b.Policy(), new double[b.Tokens]);
                Assert.That(sums.Loss, Is.EqualTo(c.Naive(b, b.LogProbs, b.LogProbs)).Within(Tolerance.SameFormula));
            }
    }

    [TestCaseSource(nameof(Cases))]
    public void GradientEqualsFiniteDifference(PolicyLossCase c)
    {
        foreach (ulong seed in Seeds)
        {
            RandomBatch b = new(seed, logProbSpread: c.Spread);
            double[] gradient = new double[b.Tokens];
            c.Loss.Evaluate(b.Policy(), gradient);
            Check.Gradient(x => c.Naive(b, x, b.LogProbs), b.LogProbs, gradient);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void MaskedJunkChangesNoBit(PolicyLossCase c)
    {
        foreach (ulong seed in Seeds)
        {
            RandomBatch clean = new(seed, logProbSpread: c.Spread), spoiled = clean.Spoiled(seed);
            double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
            Array.Fill(b, double.NaN);
            PolicyLossSums first = c.Loss.Evaluate(clean.Policy(), a), second = c.Loss.Evaluate(spoiled.Policy(), b);
            Assert.That(second, Is.EqualTo(first));
            Check.SameBits(b, a);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void EverythingMaskedIsExactlyZero(PolicyLossCase c)
    {
        RandomBatch b = new(1);
        b.Mask = new bool[b.Tokens];
        b = b.Spoiled(1);
        b.Weights = b.Weight(LossAggregation.TokenMean);
        double[] gradient = new double[b.Tokens];
        PolicyLossSums sums = c.Loss.Evaluate(b.Policy(), gradient);
        Assert.That(sums, Is.EqualTo(default(PolicyLossSums)));
        Assert.That(gradient, Is.All.EqualTo(0.0));
    }

    [TestCaseSource(nameof(Cases))]
    public void MicroBatchesAddUp(PolicyLossCase c)
    {
        foreach (LossAggregation aggregation in Aggregations)
            foreach (int cut in new[] { 1, 2, 4, 6 })
            {
                RandomBatch b = new(9, logProbSpread: c.Spread);
                b.Weights = b.Weight(aggregation);
                double[] whole = new double[b.Tokens], left = new double[b.Offsets[cut]], right = new double[b.Tokens - b.Offsets[cut]];
                PolicyLossSums all = c.Loss.Evaluate(b.Policy(), whole);
                PolicyLossSums parts = c.Loss.Evaluate(b.Policy(0, cut, out _), left) + c.Loss.Evaluate(b.Policy(cut, b.Sequences, out _), right);
                Assert.That(parts.Loss, Is.EqualTo(all.Loss).Within(Tolerance.SameFormula));
                Assert.That(parts.Tokens, Is.EqualTo(all.Tokens));
                Assert.That(parts.ClipFraction, Is.EqualTo(all.ClipFraction));
                Assert.That(parts.ApproximateKlK3, Is.EqualTo(all.ApproximateKlK3).Within(Tolerance.SameFormula));
                Check.SameBits([.. left, .. right], whole);
            }
    }

    [TestCaseSource(nameof(Cases))]
    public void NaNOnATrainedTokenIsSeen(PolicyLossCase c)
    {
        RandomBatch b = new(3);
        int t = Array.IndexOf(b.Mask, true);
        b.LogProbs[t] = double.NaN;
        Assert.That(c.Loss.Evaluate(b.Policy(), new double[b.Tokens]).Loss, Is.NaN);
    }

    [Test]
    public void WrongLengthIsRefused()
    {
        RandomBatch b = new(3);
        ArgumentException? error = Assert.Throws<ArgumentException>(() => new PpoClip().Evaluate(b.Policy([1, 2]), new double[b.Tokens]));
        Assert.That(error!.Message, Does.StartWith($"LogProbs has 2 elements; it must have {b.Tokens}, one for each entry of the batch."));
    }
}

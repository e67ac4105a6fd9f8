namespace Rlhf.Algorithms.Tests;

/// <summary>Numbers of NeMo-RL's loss tests: advantages 1, −1, 2; ratios ½, 1, 3/2; clip 0.2.</summary>
[TestFixture]
public sealed class PolicyLossConformanceTests
{
    private static readonly double[] Advantages = [1, -1, 2];
    private static readonly double[] Old = [-1, -1, -1];
    private static readonly double[] Current = [-1.69315, -1, -0.59453];
    private static readonly double[] Sampler = [-0.5, -1.5, -0.8];

    [Test]
    public void PpoClipPerTokenAndMean()
    {
        // −min(.5·1, .8·1) = −.5;  −min(−1, −1) = 1;  −min(1.5·2, 1.2·2) = −2.4;  mean −.6333.
        Check.Close(PerToken(new PpoClip(0.2), Current, Old, Advantages, []), [-0.5, 1, -2.4]);
        Assert.That(Loss(new PpoClip(0.2), Current, Old, Advantages, []), Is.EqualTo(-0.6333).Within(Tolerance.Published));
    }

    [Test]
    public void Reinforce()
    {
        double[] current = [-0.5, -1, -1.5];
        Check.Close(PerToken(new Reinforce(), current, Old, Advantages, []), [0.5, -1, 3]);
        Assert.That(Loss(new Reinforce(), current, Old, Advantages, []), Is.EqualTo(0.8333).Within(Tolerance.Published));
    }

    [Test]
    public void ImportanceCorrectionOfTheSampler()
    {
        double[] weights = Correct(ImportanceCorrection.Truncate(CorrectionLevel.Token, double.PositiveInfinity), Sampler);
        Check.Close(weights, [0.6065, 1.6487, 0.8187]);
        Assert.That(Loss(new PpoClip(0.2), Current, Old, Advantages, weights), Is.EqualTo(-0.2065).Within(Tolerance.Published));
    }

    [Test]
    public void TruncatedImportanceCorrection()
    {
        double[] weights = Correct(ImportanceCorrection.Truncate(CorrectionLevel.Token, 0.8), Sampler);
        Check.Close(weights, [0.6065, 0.8, 0.8]);
        Check.Close(PerToken(new PpoClip(0.2), Current, Old, Advantages, weights), [-0.3033, 0.8, -1.92]);
        Assert.That(Loss(new PpoClip(0.2), Current, Old, Advantages, weights), Is.EqualTo(-0.4744).Within(Tolerance.Published));
    }

    [Test]
    public void DualClip()
    {
        // The third token has ratio 10 and A = −4: 40 is held at c·4 = 12.
        double[] advantages = [1, -1, -4], old = [-1, -1, -3], current = [-1.69315, -1, -0.69741];
        PpoClip loss = new(0.2, dualClip: 3);
        Check.Close(PerToken(loss, current, old, advantages, []), [-0.5, 1, 12]);
        Assert.That(Loss(loss, current, old, advantages, []), Is.EqualTo(4.1667).Within(Tolerance.Published));
    }

    [Test]
    public void SamplerWithMinusInfinityKeepsTheLossFinite()
    {
        double[] sampler = [double.NegativeInfinity, -1.5, -0.8];
        foreach (CorrectionLevel level in Enum.GetValues<CorrectionLevel>())
        {
            double[] weights = Correct(ImportanceCorrection.Truncate(level, 3), sampler);
            Assert.That(weights[0], Is.Zero);
            Assert.That(weights, Is.All.Matches<double>(double.IsFinite));
            Assert.That(double.IsFinite(Loss(new PpoClip(0.2), Current, Old, Advantages, weights)));
        }
    }

    [Test]
    public void MicroBatchesOfOneAndThreeTokens()
    {
        // Lengths 1 and 3, advantages +1 and −1, ratio 1: token mean −(1 − 3)/4 = ½, cut or not (twinkle PR 292).
        double[] advantages = [1, -1, -1, -1], logProbs = [-1, -1, -1, -1];
        Assert.That(Loss(new PpoClip(0.2), logProbs, logProbs, advantages, []), Is.EqualTo(0.5));
        double[] first = new double[1], rest = new double[3];
        AggregationCounts global = AggregationWeights.Count([0, 1], [true]) + AggregationWeights.Count([0, 3], [true, true, true]);
        AggregationWeights.Fill(LossAggregation.TokenMean, global, [0, 1], [true], first);
        AggregationWeights.Fill(LossAggregation.TokenMean, global, [0, 3], [true, true, true], rest);
        double sum = Evaluate([-1], [-1], [1], first) + Evaluate([-1, -1, -1], [-1, -1, -1], [-1, -1, -1], rest);
        Assert.That(sum, Is.EqualTo(0.5));
    }

    [Test]
    public void AggregationOfOpenRlhf()
    {
        // Rows [1, 2], [3, 4, 5], [7]: token mean 22/6, mean of means (1.5 + 4 + 7)/3, mean of sums 22/3, constant 3: 22/9.
        double[] losses = [1, 2, 3, 4, 5, 7];
        int[] offsets = [0, 2, 5, 6];
        bool[] mask = Check.AllTrue(6);
        Dictionary<LossAggregation, double> expected = new()
        {
            [LossAggregation.TokenMean] = 3.666667,
            [LossAggregation.MeanOfSequenceMeans] = 4.166667,
            [LossAggregation.MeanOfSequenceSums] = 7.333333,
            [LossAggregation.ConstantLength] = 2.444444,
        };
        foreach ((LossAggregation aggregation, double value) in expected)
        {
            double[] weights = new double[6];
            AggregationWeights.Fill(aggregation, AggregationWeights.Count(offsets, mask), offsets, mask, weights, constantLength: 3);
            Assert.That(weights.Zip(losses, (w, l) => w * l).Sum(), Is.EqualTo(value).Within(1e-6), aggregation.ToString());
        }
    }

    [Test]
    public void SequencesWithoutATrainedTokenAreNotCounted()
    {
        // RandomBatch has an empty and a wholly masked sequence: means still weigh 1 in all.
        RandomBatch b = new(5);
        AggregationCounts counts = AggregationWeights.Count(b.Offsets, b.Mask);
        Assert.That(counts, Is.EqualTo(new AggregationCounts(b.Mask.Count(m => m), Enumerable.Range(0, b.Sequences).Count(i => b.TrainedOf(i).Any()))));
        Assert.That(counts.Sequences, Is.LessThan(b.Sequences));
        Assert.That(b.Weight(LossAggregation.TokenMean).Sum(), Is.EqualTo(1).Within(Tolerance.SameFormula));
        Assert.That(b.Weight(LossAggregation.MeanOfSequenceMeans).Sum(), Is.EqualTo(1).Within(Tolerance.SameFormula));
    }

    [Test]
    public void AccumulationOverSevenTokens()
    {
        // Micro-batches [1,2], [3,4,5] and [6,7]: 28/7 = 4.
        AggregationCounts global = new(7, 3);
        double sum = 0;
        foreach (double[] micro in (double[][])[[1, 2], [3, 4, 5], [6, 7]])
        {
            double[] weights = new double[micro.Length];
            AggregationWeights.Fill(LossAggregation.TokenMean, global, [0, micro.Length], Check.AllTrue(micro.Length), weights);
            sum += weights.Zip(micro, (w, l) => w * l).Sum();
        }

        Assert.That(sum, Is.EqualTo(4.0).Within(Tolerance.SameFormula));
    }

    private static double[] Correct(ImportanceCorrection correction, double[] sampler)
    {
        double[] weights = new double[3];
        correction.Fill([0, 3], Check.AllTrue(3), Old, sampler, weights);
        return weights;
    }

    private static double Loss(IPolicyLoss loss, double[] current, double[] old, double[] advantages, double[] corrections)
    {
        int n = current.Length;
        return loss.Evaluate(
            new PolicyBatch
            {
                Offsets = [0, n],
                ResponseMask = Check.AllTrue(n),
                LogProbs = current,
                OldLogProbs = old,
                Advantages = advantages,
                Weights = Enumerable.Repeat(1.0 / n, n).ToArray(),
                Corrections = corrections,
            },
            new double[n]).Loss;
    }

    /// <summary>Token losses: each token as a batch of its own.</summary>
    private static double[] PerToken(IPolicyLoss loss, double[] current, double[] old, double[] advantages, double[] corrections) =>
        [.. current.Select((_, t) => Loss(loss, [current[t]], [old[t]], [advantages[t]], corrections.Length == 0 ? [] : [corrections[t]]))];

    private static double Evaluate(double[] current, double[] old, double[] advantages, double[] weights) =>
        new PpoClip(0.2).Evaluate(
            new PolicyBatch
            {
                Offsets = [0, current.Length],
                ResponseMask = Check.AllTrue(current.Length),
                LogProbs = current,
                OldLogProbs = old,
                Advantages = advantages,
                Weights = weights,
            },
            new double[current.Length]).Loss;
}

namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class ImportanceCorrectionTests
{
    [Test]
    public void EqualsNaiveImplementation([Values] CorrectionLevel level, [Values] bool reject)
    {
        const double Low = 0.8, High = 1.2;
        ImportanceCorrection correction = reject ? ImportanceCorrection.Reject(level, Low, High) : ImportanceCorrection.Truncate(level, High);
        RandomBatch b = new(11);
        double[] found = new double[b.Tokens], expected = new double[b.Tokens];
        CorrectionSums sums = correction.Fill(b.Offsets, b.Mask, b.OldLogProbs, b.RolloutLogProbs, found);
        long cut = 0;
        for (int i = 0; i < b.Sequences; i++)
        {
            int[] trained = [.. b.TrainedOf(i)];
            double product = trained.Aggregate(1.0, (p, t) => p * Math.Exp(b.OldLogProbs[t]) / Math.Exp(b.RolloutLogProbs[t]));
            foreach (int t in trained)
            {
                double w = level switch
                {
                    CorrectionLevel.Token => Math.Exp(b.OldLogProbs[t]) / Math.Exp(b.RolloutLogProbs[t]),
                    CorrectionLevel.Sequence => product,
                    _ => Math.Pow(product, 1.0 / trained.Length),
                };
                bool outside = w > High || (reject && w < Low);
                cut += outside ? 1 : 0;
                expected[t] = !outside ? w : reject ? 0 : High;
            }
        }

        Check.Close(found, expected, Tolerance.SameFormula);
        Assert.That(cut, Is.GreaterThan(0), "the case must cut something");
        Assert.That(reject ? sums.Rejected : sums.Truncated, Is.EqualTo(cut));
        Assert.That(sums.Tokens, Is.EqualTo(b.Mask.Count(m => m)));
        Assert.That(sums.WeightSum, Is.EqualTo(expected.Sum()).Within(Tolerance.SameFormula));
    }

    [Test]
    public void ATokenThatIsNoNumberIsLeftOutOfTheProduct()
    {
        // log w = +∞, ½, 0: product e^½ over the two finite ones, geometric mean e^¼.
        Dictionary<CorrectionLevel, double[]> expected = new()
        {
            [CorrectionLevel.Token] = [0, Math.Exp(0.5), 1],
            [CorrectionLevel.Sequence] = [0, Math.Exp(0.5), Math.Exp(0.5)],
            [CorrectionLevel.SequenceGeometricMean] = [0, Math.Exp(0.25), Math.Exp(0.25)],
        };
        foreach ((CorrectionLevel level, double[] weights) in expected)
        {
            double[] found = new double[3];
            CorrectionSums sums = ImportanceCorrection.Truncate(level, 3)
                .Fill([0, 3], Check.AllTrue(3), [-1, -1, -1], [double.NegativeInfinity, -1.5, -1], found);
            Check.Close(found, weights, Tolerance.SameFormula);
            Assert.That((sums.Rejected, sums.AbsoluteDifferenceMax), Is.EqualTo((1L, 0.5)));
        }
    }

    [Test]
    public void MaskedJunkChangesNoBit([Values] CorrectionLevel level)
    {
        RandomBatch clean = new(12), spoiled = clean.Spoiled(12);
        double[] a = new double[clean.Tokens], b = new double[clean.Tokens];
        ImportanceCorrection correction = ImportanceCorrection.Truncate(level, 1.1);
        Assert.That(
            correction.Fill(spoiled.Offsets, spoiled.Mask, spoiled.OldLogProbs, spoiled.RolloutLogProbs, b),
            Is.EqualTo(correction.Fill(clean.Offsets, clean.Mask, clean.OldLogProbs, clean.RolloutLogProbs, a)));
        Check.SameBits(b, a);
    }
}

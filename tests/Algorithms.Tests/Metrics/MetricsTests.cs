namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class MetricsTests
{
    [Test]
    public void ExplainedVarianceOfPerfectConstantAndWrongValues()
    {
        bool[] mask = [true, true, true, false];
        double[] returns = [1, 2, 3, double.NaN];
        Assert.That(ExplainedVariance.Of(mask, [1, 2, 3, double.NaN], returns), Is.EqualTo(1));
        Assert.That(ExplainedVariance.Of(mask, [5, 5, 5, 1e4], returns), Is.EqualTo(0).Within(Tolerance.SameFormula));
        Assert.That(ExplainedVariance.Of(mask, [3, 2, 1, 0], returns), Is.EqualTo(-3).Within(Tolerance.SameFormula)); // residuals −2, 0, 2: four times the variance
        Assert.That(ExplainedVariance.Of(mask, [1, 2, 3, 0], [2, 2, 2, 5]), Is.Zero);
        Assert.That(ExplainedVariance.Of(mask, [1, 2, 3, 0], [1, double.NaN, 3, 5]), Is.NaN, "a broken return is to be seen");
    }

    [Test]
    public void DistinctNDoesNotCrossResponses()
    {
        // Responses 1 2 1 2 | 2 1: bigrams 12 21 12 | 21: 2 of 4. Unigrams 2 of 6. No 5-gram.
        int[] offsets = [0, 4, 6], tokens = [1, 2, 1, 2, 2, 1];
        Assert.That((DistinctN.Of(offsets, tokens, 1), DistinctN.Of(offsets, tokens, 2), DistinctN.Of(offsets, tokens, 5)), Is.EqualTo((2.0 / 6, 0.5, 0.0)));
    }

    [Test]
    public void RatioHistogramCountsEveryTrainedTokenOnce()
    {
        RatioHistogram histogram = new();
        histogram.Add([true, true, true, false, true], [0, Math.Log(1.25), Math.Log(0.1), 5, Math.Log(9)], new double[5]);
        Assert.That(histogram.Total, Is.EqualTo(4));
        Dictionary<double, long> counts = [];
        for (int i = 0; i < histogram.Counts.Length; i++)
            if (histogram.Counts[i] > 0) counts[RatioHistogram.LowerBounds[i]] = histogram.Counts[i];
        Assert.That(counts, Is.EqualTo(new Dictionary<double, long> { [0] = 1, [0.99] = 1, [1.2] = 1, [2] = 1 }));
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Counts of π/π_old over fixed bins, so that histograms of micro-batches and epochs add up. A healthy run is a narrow hump at 1; mass in the outer bins
/// says the policy ran away from its samples.
/// </summary>
public sealed class RatioHistogram
{
    private static readonly double[] Bounds = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01, 1.05, 1.1, 1.2, 1.3, 1.5, 2];
    private readonly long[] _counts = new long[Bounds.Length];

    /// <summary>Lower bounds of the bins; the last one has no upper bound.</summary>
    public static ReadOnlySpan<double> LowerBounds => Bounds;

    /// <summary>Tokens in each bin.</summary>
    public ReadOnlySpan<long> Counts => _counts;

    /// <summary>Trained-on tokens seen.</summary>
    public long Total => _counts.Sum();

    /// <summary>Takes the trained-on tokens in. A ratio that is no number is an error of the caller's data and counts in no bin.</summary>
    public void Add(ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> logProbs, ReadOnlySpan<double> oldLogProbs)
    {
        Require.Length(logProbs.Length, responseMask.Length, nameof(logProbs));
        Require.Length(oldLogProbs.Length, responseMask.Length, nameof(oldLogProbs));
        for (int t = 0; t < responseMask.Length; t++)
        {
            double ratio = responseMask[t] ? Math.Exp(logProbs[t] - oldLogProbs[t]) : double.NaN;
            if (double.IsNaN(ratio)) continue;
            int bin = Bounds.Length - 1;
            while (ratio < Bounds[bin]) bin--;
            _counts[bin]++;
        }
    }

    /// <summary>Takes the counts of another histogram in; none, or one a bin.</summary>
    public void Add(ReadOnlySpan<long> counts)
    {
        if (!counts.IsEmpty) Require.Length(counts.Length, _counts.Length, nameof(counts));
        for (int bin = 0; bin < counts.Length; bin++) _counts[bin] += counts[bin];
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Count, mean and sum of squared deviations of a set of numbers. Sets add up exactly as if they had been one (Chan, Golub and LeVeque 1979,
/// "Updating formulae and a pairwise algorithm for computing sample variances"), so micro-batches and ranks can be merged. Serialisable: it
/// is three numbers. The empty set has mean 0 and variance 0.
/// </summary>
/// <param name="Count">n.</param>
/// <param name="Mean">μ, 0 when n = 0.</param>
/// <param name="SumOfSquares">M2 = Σ (x − μ)².</param>
public readonly record struct Moments(long Count, double Mean, double SumOfSquares)
{
    // The mean of n equal numbers in float64 is off by less than n · 2⁻⁵³ of itself, and their deviation from it is that large: below 1e−10 up to
    // n = 900,000, and in practice far beyond, since roundings do not all go one way. Rewards are float32: what differs, differs by 6e−8 of itself.
    private const double SmallestRelativeDeviation = 1e-10;

    /// <summary>M2 / n; 0 when n = 0 or <see cref="IsConstant"/>.</summary>
    public double PopulationVariance => Count > 0 && !IsConstant ? SumOfSquares / Count : 0;

    /// <summary>M2 / (n − 1); 0 when n &lt; 2 or <see cref="IsConstant"/>.</summary>
    public double SampleVariance => Count > 1 && !IsConstant ? SumOfSquares / (Count - 1) : 0;

    /// <summary>All numbers are equal but for the rounding of their mean: √(M2 / n) &lt; 1e−10 |μ|.</summary>
    public bool IsConstant => SumOfSquares == 0 || Math.Sqrt(SumOfSquares / Count) < SmallestRelativeDeviation * Math.Abs(Mean);

    /// <summary>Of all numbers (two passes).</summary>
    public static Moments Of(ReadOnlySpan<double> values)
    {
        if (values.IsEmpty) return default;
        double sum = 0, squares = 0;
        foreach (double x in values) sum += x;
        double mean = sum / values.Length;
        foreach (double x in values) squares += (x - mean) * (x - mean);
        return new Moments(values.Length, mean, squares);
    }

    /// <summary>Of the numbers whose mask is true; the others are not even looked at.</summary>
    public static Moments Of(ReadOnlySpan<double> values, ReadOnlySpan<bool> mask)
    {
        Require.Length(values.Length, mask.Length, nameof(values));
        long count = 0;
        double sum = 0, squares = 0;
        for (int t = 0; t < mask.Length; t++)
        {
            if (!mask[t]) continue;
            count++;
            sum += values[t];
        }

        if (count == 0) return default;
        double mean = sum / count;
        for (int t = 0; t < mask.Length; t++)
            if (mask[t]) squares += (values[t] - mean) * (values[t] - mean);
        return new Moments(count, mean, squares);
    }

    /// <summary>The set with one more number (Welford 1962).</summary>
    public Moments With(double value)
    {
        long count = Count + 1;
        double delta = value - Mean, mean = Mean + (delta / count);
        return new Moments(count, mean, SumOfSquares + (delta * (value - mean)));
    }

    /// <summary>The union of two sets (Chan).</summary>
    public static Moments operator +(Moments a, Moments b)
    {
        if (a.Count == 0) return b;
        if (b.Count == 0) return a;
        long count = a.Count + b.Count;
        double delta = b.Mean - a.Mean;
        return new Moments(
            count,
            a.Mean + (delta * b.Count / count),
            a.SumOfSquares + b.SumOfSquares + (delta * delta * a.Count * b.Count / count));
    }

    public static Moments Add(Moments left, Moments right) => left + right;
}

namespace Rlhf.Algorithms;

/// <summary>Which variance a normalisation divides by.</summary>
public enum VarianceKind
{
    /// <summary>M2 / (n − 1): TRL, verl.</summary>
    Sample,

    /// <summary>M2 / n: OpenAI's original, OpenRLHF.</summary>
    Population,
}

/// <summary>
/// Whitening over trained-on tokens: x ← (x − μ) / √(σ² + 1e−8). In place; masked places are left as they are.
/// </summary>
public static class Whitening
{
    private const double Epsilon = 1e-8;

    /// <summary>Centred and scaled: advantages.</summary>
    public static void ToZeroMeanUnitVariance(Span<double> values, ReadOnlySpan<bool> mask, VarianceKind variance = VarianceKind.Sample) =>
        ToZeroMeanUnitVariance(values, mask, Moments.Of(values, mask), variance);

    /// <summary>Centred and scaled by moments of a larger set (all micro-batches, all ranks).</summary>
    public static void ToZeroMeanUnitVariance(Span<double> values, ReadOnlySpan<bool> mask, Moments moments, VarianceKind variance)
    {
        Require.Length(values.Length, mask.Length, nameof(values));
        double scale = Scale(moments, variance);
        for (int t = 0; t < values.Length; t++)
            if (mask[t]) values[t] = (values[t] - moments.Mean) * scale;
    }

    private static double Scale(Moments moments, VarianceKind variance) =>
        1 / Math.Sqrt((variance == VarianceKind.Sample ? moments.SampleVariance : moments.PopulationVariance) + Epsilon);
}

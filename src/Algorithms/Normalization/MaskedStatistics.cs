namespace Rlhf.Algorithms;

/// <summary>
/// Mean and variance over trained-on tokens: μ = Σ m_t x_t / Σ m_t. What stands at a masked place (NaN too) is not looked at.
/// Nothing trained on: 0.
/// </summary>
public static class MaskedStatistics
{
    public static double Mean(ReadOnlySpan<double> values, ReadOnlySpan<bool> mask) => Moments.Of(values, mask).Mean;

    /// <summary>Σ m (x − μ)² / (n − 1).</summary>
    public static double SampleVariance(ReadOnlySpan<double> values, ReadOnlySpan<bool> mask) => Moments.Of(values, mask).SampleVariance;

    /// <summary>Σ m (x − μ)² / n.</summary>
    public static double PopulationVariance(ReadOnlySpan<double> values, ReadOnlySpan<bool> mask) => Moments.Of(values, mask).PopulationVariance;
}

namespace Rlhf.Algorithms;

/// <summary>
/// Interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical inference"):
/// ( p̂ + z²/2n ± z √( p̂(1 − p̂)/n + z²/4n² ) ) / ( 1 + z²/n ). Never leaves [0, 1] and holds for few trials.
/// </summary>
public static class Wilson
{
    /// <summary>z of a two-sided 95 % interval.</summary>
    public const double Z95 = 1.959963984540054;

    /// <param name="successes">0 … trials; a tie may count ½.</param>
    /// <param name="trials">n; 0 gives NaN.</param>
    /// <param name="z">Quantile of the standard normal distribution.</param>
    public static (double Low, double High) Interval(double successes, long trials, double z = Z95)
    {
        Require.Range(successes >= 0 && successes <= trials, successes, $"between 0 and {trials}");
        if (trials == 0) return (double.NaN, double.NaN);
        double p = successes / trials, square = z * z / trials;
        double centre = p + (square / 2), half = z * Math.Sqrt((p * (1 - p) / trials) + (square / (4 * trials)));
        return (Math.Max(0, (centre - half) / (1 + square)), Math.Min(1, (centre + half) / (1 + square)));
    }
}

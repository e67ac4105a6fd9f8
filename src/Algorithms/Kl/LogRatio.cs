namespace Rlhf.Algorithms;

/// <summary>
/// The guard of every exp(log π − log π'): the difference is cut to ±20 nats (e²⁰ ≈ 5·10⁸), beyond which the gradient is 0.
/// A trained-on token that far off is a defect of the data; it must not become Inf · 0 = NaN for the whole batch.
/// </summary>
public static class LogRatio
{
    /// <summary>Nats.</summary>
    public const double Limit = 20;

    /// <summary>The difference cut to ±<see cref="Limit"/>. NaN stays NaN: it is to be seen.</summary>
    public static double Cut(double difference) => Math.Clamp(difference, -Limit, Limit);

    /// <summary>True where <see cref="Cut"/> changes the difference.</summary>
    public static bool IsCut(double difference) => Math.Abs(difference) > Limit;
}

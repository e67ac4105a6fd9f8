namespace Rlhf.Algorithms;

/// <summary>
/// PPO's clipped surrogate (Schulman et al. 2017, equation 7), ρ = π/π_old:
/// ℓ = −min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A).
/// Asymmetric bounds are DAPO's "clip-higher" (Yu et al. 2025). Dual clip (Ye et al. 2020, "Mastering complex control in MOBA games", equation 5):
/// for A &lt; 0, ℓ = min(max(−ρ A, −clip(ρ) A), −c A) with c &gt; 1.
/// Deviation 1: log ρ is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public sealed class PpoClip : IPolicyLoss
{
    private readonly TokenLoss _token;

    /// <param name="clipRangeLow">ε_low in [0, 1).</param>
    /// <param name="clipRangeHigh">ε_high ≥ 0; null: ε_low.</param>
    /// <param name="dualClip">c &gt; 1, or null: off.</param>
    public PpoClip(double clipRangeLow = 0.2, double? clipRangeHigh = null, double? dualClip = null)
    {
        double high = clipRangeHigh ?? clipRangeLow;
        Require.Range(clipRangeLow is >= 0 and < 1, clipRangeLow, "in [0, 1)");
        Require.Range(high >= 0, high, "at least 0", nameof(clipRangeHigh));
        if (dualClip is { } c) Require.Range(c > 1, c, "above 1", nameof(dualClip));
        _token = new TokenLoss(1 - clipRangeLow, 1 + high, dualClip ?? double.PositiveInfinity);
    }

    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) => TokenLoop.Run(_token, batch, gradient);

    private readonly struct TokenLoss(double low, double high, double dualClip) : ITokenLoss
    {
        public double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient)
        {
            double ratio = Math.Exp(LogRatio.Cut(logRatio));
            double surrogate = -ratio * advantage, clipped = -Math.Clamp(ratio, low, high) * advantage;
            gradient = LogRatio.IsCut(logRatio) ? 0 : surrogate; // ∂ρ/∂log π = ρ
            if (clipped > surrogate)
            {
                gradient = 0;
                if (ratio > high) sums.ClippedHigh++;
                else sums.ClippedLow++;
                surrogate = clipped;
            }

            if (advantage < 0 && surrogate > -dualClip * advantage)
            {
                gradient = 0;
                sums.DualClipped++;
                surrogate = -dualClip * advantage;
            }

            return surrogate;
        }
    }
}

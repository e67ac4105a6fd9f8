namespace Rlhf.Algorithms;

/// <summary>
/// CISPO (MiniMax 2025, "MiniMax-M1", equation 4): ℓ = −sg(clip(ρ, 1 − ε_low, 1 + ε_high)) A log π. The clip bounds the weight and takes no
/// token's gradient away.
/// Deviation 1: log ρ is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public sealed class Cispo : IPolicyLoss
{
    private readonly TokenLoss _token;

    /// <param name="clipRangeLow">ε_low in [0, 1]; 1 is no lower bound, the paper's choice.</param>
    /// <param name="clipRangeHigh">ε_high ≥ 0.</param>
    public Cispo(double clipRangeLow = 1, double clipRangeHigh = 0.2)
    {
        Require.Range(clipRangeLow is >= 0 and <= 1, clipRangeLow, "in [0, 1]");
        Require.Range(clipRangeHigh >= 0, clipRangeHigh, "at least 0");
        _token = new TokenLoss(1 - clipRangeLow, 1 + clipRangeHigh);
    }

    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) => TokenLoop.Run(_token, batch, gradient);

    private readonly struct TokenLoss(double low, double high) : ITokenLoss
    {
        public double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient)
        {
            double ratio = Math.Exp(LogRatio.Cut(logRatio));
            if (ratio > high) sums.ClippedHigh++;
            else if (ratio < low) sums.ClippedLow++;
            gradient = -Math.Clamp(ratio, low, high) * advantage;
            return gradient * logProb;
        }
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Off-policy gradient with truncated importance weights (Degris, White and Sutton 2012, "Off-policy actor-critic"; truncation: Espeholt et al. 2018,
/// IMPALA's ρ̄): ℓ = −sg(min(ρ, C)) A log π, ρ = π/π_old, sg = constant.
/// Deviation 1: log ρ is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public sealed class OffPolicyGradient : IPolicyLoss
{
    private readonly TokenLoss _token;

    /// <param name="cap">C &gt; 0; +∞ for plain importance weights.</param>
    public OffPolicyGradient(double cap = double.PositiveInfinity)
    {
        Require.Range(cap > 0, cap, "positive");
        _token = new TokenLoss(cap);
    }

    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) => TokenLoop.Run(_token, batch, gradient);

    private readonly struct TokenLoss(double cap) : ITokenLoss
    {
        public double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient)
        {
            double ratio = Math.Exp(LogRatio.Cut(logRatio));
            if (ratio > cap) sums.ClippedHigh++;
            gradient = -Math.Min(ratio, cap) * advantage;
            return gradient * logProb;
        }
    }
}

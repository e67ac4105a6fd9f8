namespace Rlhf.Algorithms;

/// <summary>
/// Advantage-weighted behaviour cloning (Nair et al. 2020, AWAC, equation 13): L = −c Σ_t w_t sg(e^{β (Q̂ − V)}) log π(a_t|s_t). β = 0 is plain cloning.
/// Deviation 1: the exponent is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public static class Awac
{
    /// <summary>Adds ∂L/∂log π to <paramref name="gradient"/>; returns L.</summary>
    public static double Add(
        ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> logProbs, ReadOnlySpan<double> targetQ, ReadOnlySpan<double> values,
        ReadOnlySpan<double> weights, double beta, double coefficient, Span<double> gradient)
    {
        Require.Length(logProbs.Length, responseMask.Length, nameof(logProbs));
        Require.Length(targetQ.Length, responseMask.Length, nameof(targetQ));
        Require.Length(values.Length, responseMask.Length, nameof(values));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        double loss = 0;
        for (int t = 0; t < logProbs.Length; t++)
        {
            if (!responseMask[t]) continue;
            double slope = -coefficient * weights[t] * Math.Exp(LogRatio.Cut(beta * (targetQ[t] - values[t])));
            loss += slope * logProbs[t];
            gradient[t] += slope;
        }

        return loss;
    }
}

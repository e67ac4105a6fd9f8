namespace Rlhf.Algorithms;

/// <summary>
/// Expectile regression of V on Q (Kostrikov et al. 2022, implicit Q-learning, equation 5), u = Q̂ − V with Q̂ constant:
/// L = Σ_t w_t |τ − [u &lt; 0]| u². τ → 1 makes V the best of the actions seen in the data; τ = ½ is ½ of the squared error.
/// </summary>
public static class ExpectileLoss
{
    /// <summary>Adds ∂L/∂V to <paramref name="gradient"/>; returns L.</summary>
    public static double Add(
        ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> values, ReadOnlySpan<double> targetQ, ReadOnlySpan<double> weights, double tau,
        Span<double> gradient)
    {
        Require.Range(tau is > 0 and < 1, tau, "in (0, 1)");
        Require.Length(values.Length, responseMask.Length, nameof(values));
        Require.Length(targetQ.Length, responseMask.Length, nameof(targetQ));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        double loss = 0;
        for (int t = 0; t < values.Length; t++)
        {
            if (!responseMask[t]) continue;
            double u = targetQ[t] - values[t], slope = weights[t] * (u < 0 ? 1 - tau : tau);
            loss += slope * u * u;
            gradient[t] -= 2 * slope * u;
        }

        return loss;
    }
}

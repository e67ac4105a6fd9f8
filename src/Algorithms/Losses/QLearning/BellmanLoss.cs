namespace Rlhf.Algorithms;

/// <summary>Bellman error of Q learning (Snell et al. 2022, equation 2's second part): L = Σ_t w_t (Q(s_t, a_t) − y_t)², y constant.</summary>
public static class BellmanLoss
{
    /// <summary>Adds ∂L/∂Q of the taken actions to <paramref name="gradient"/>; returns L.</summary>
    public static double Add(
        ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> q, ReadOnlySpan<double> targets, ReadOnlySpan<double> weights, Span<double> gradient)
    {
        Require.Length(q.Length, responseMask.Length, nameof(q));
        Require.Length(targets.Length, responseMask.Length, nameof(targets));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        double loss = 0;
        for (int t = 0; t < q.Length; t++)
        {
            if (!responseMask[t]) continue;
            double error = q[t] - targets[t];
            loss += weights[t] * error * error;
            gradient[t] += 2 * weights[t] * error;
        }

        return loss;
    }
}

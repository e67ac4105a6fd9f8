namespace Rlhf.Algorithms;

/// <summary>
/// The CQL term (Kumar et al. 2020, "Conservative Q-learning", equation 4; Snell et al. 2022): L = α Σ_t w_t (log Σ_a e^{Q(s_t,a)} − Q(s_t, a_t)), a
/// cross-entropy that keeps Q of actions outside the data down. The caller turns ∂L/∂logsumexp into ∂L/∂Q(s, ·) by softmax(Q).
/// </summary>
public static class ConservativeLoss
{
    /// <summary>Adds ∂L/∂Q(s_t, a_t) and ∂L/∂logsumexp_t; returns L.</summary>
    public static double Add(
        ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> q, ReadOnlySpan<double> logSumExpQ, ReadOnlySpan<double> weights, double alpha,
        Span<double> gradientQ, Span<double> gradientLogSumExp)
    {
        Require.Length(q.Length, responseMask.Length, nameof(q));
        Require.Length(logSumExpQ.Length, responseMask.Length, nameof(logSumExpQ));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradientQ.Length, responseMask.Length, nameof(gradientQ));
        Require.Length(gradientLogSumExp.Length, responseMask.Length, nameof(gradientLogSumExp));
        double loss = 0;
        for (int t = 0; t < q.Length; t++)
        {
            if (!responseMask[t]) continue;
            double weight = alpha * weights[t];
            loss += weight * (logSumExpQ[t] - q[t]);
            gradientQ[t] -= weight;
            gradientLogSumExp[t] += weight;
        }

        return loss;
    }
}

namespace Rlhf.Algorithms;

/// <summary>What <see cref="KlPenalty"/> measured.</summary>
/// <param name="Loss">β Σ w k.</param>
/// <param name="KlSum">Σ k over trained-on tokens, nats.</param>
/// <param name="Tokens">Trained-on tokens.</param>
public readonly record struct KlPenaltySums(double Loss, double KlSum, long Tokens)
{
    public static KlPenaltySums operator +(KlPenaltySums a, KlPenaltySums b) => new(a.Loss + b.Loss, a.KlSum + b.KlSum, a.Tokens + b.Tokens);

    public static KlPenaltySums Add(KlPenaltySums left, KlPenaltySums right) => left + right;
}

/// <summary>
/// KL to the reference inside the loss (GRPO: Shao et al. 2024, equation 4 with k3): L = β Σ_t w_t k(log π_t, log π_ref,t).
/// Only k2's gradient is an unbiased gradient of the KL on samples of π; k1's has mean 0. All are offered, as the papers have them.
/// </summary>
public static class KlPenalty
{
    /// <summary>Adds ∂L/∂log π to <paramref name="gradient"/> (nothing where not trained on).</summary>
    public static KlPenaltySums Add(
        KlEstimator estimator, double coefficient, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> logProbs,
        ReadOnlySpan<double> referenceLogProbs, ReadOnlySpan<double> weights, Span<double> gradient)
    {
        Require.Length(logProbs.Length, responseMask.Length, nameof(logProbs));
        Require.Length(referenceLogProbs.Length, responseMask.Length, nameof(referenceLogProbs));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        double loss = 0, sum = 0;
        long tokens = 0;
        for (int t = 0; t < responseMask.Length; t++)
        {
            if (!responseMask[t]) continue;
            double kl = KlEstimators.Estimate(estimator, logProbs[t], referenceLogProbs[t]);
            sum += kl;
            tokens++;
            if (coefficient == 0) continue;
            loss += coefficient * weights[t] * kl;
            gradient[t] += coefficient * weights[t] * KlEstimators.Gradient(estimator, logProbs[t], referenceLogProbs[t]);
        }

        return new KlPenaltySums(loss, sum, tokens);
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// The exact KL of two next-token distributions: KL(p‖q) = Σ_v p_v (log p_v − log q_v), 0 log 0 = 0. Non-negative, no sampling noise.
/// Written to be read: the trainer's head computes it in chunks, and is tested against this.
/// </summary>
public static class FullVocabularyKl
{
    /// <summary>KL in nats from rows of log-probs.</summary>
    /// <param name="logProbs">[vocabulary] log p, normalised.</param>
    /// <param name="referenceLogProbs">[vocabulary] log q, normalised.</param>
    public static double Value(ReadOnlySpan<double> logProbs, ReadOnlySpan<double> referenceLogProbs)
    {
        Require.Length(referenceLogProbs.Length, logProbs.Length, nameof(referenceLogProbs));
        double kl = 0;
        for (int v = 0; v < logProbs.Length; v++)
        {
            double p = Math.Exp(logProbs[v]);
            if (p > 0) kl += p * (logProbs[v] - referenceLogProbs[v]);
        }

        return kl;
    }

    /// <summary>KL, and with p = softmax(z) its gradient ∂KL/∂z_v = p_v (log p_v − log q_v − KL), times <paramref name="scale"/>.</summary>
    public static double WithGradient(ReadOnlySpan<double> logProbs, ReadOnlySpan<double> referenceLogProbs, double scale, Span<double> gradient)
    {
        Require.Length(gradient.Length, logProbs.Length, nameof(gradient));
        double kl = Value(logProbs, referenceLogProbs);
        for (int v = 0; v < logProbs.Length; v++)
        {
            double p = Math.Exp(logProbs[v]);
            gradient[v] = p > 0 ? scale * p * (logProbs[v] - referenceLogProbs[v] - kl) : 0;
        }

        return kl;
    }
}

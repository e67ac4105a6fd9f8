namespace Rlhf.Algorithms;

/// <summary>
/// Negative log-likelihood: L = −c Σ_t w_t log π_t. Supervised fine-tuning, and the pretraining mix of PPO-ptx (Ouyang et al. 2022, equation 2).
/// </summary>
public static class LikelihoodLoss
{
    /// <summary>Writes ∂L/∂log π of every token (0 where not trained on); returns L.</summary>
    public static double Evaluate(
        double coefficient, ReadOnlySpan<bool> mask, ReadOnlySpan<double> logProbs, ReadOnlySpan<double> weights, Span<double> gradient)
    {
        Require.Length(logProbs.Length, mask.Length, nameof(logProbs));
        Require.Length(weights.Length, mask.Length, nameof(weights));
        Require.Length(gradient.Length, mask.Length, nameof(gradient));
        double loss = 0;
        for (int t = 0; t < mask.Length; t++)
        {
            gradient[t] = mask[t] ? -coefficient * weights[t] : 0;
            if (mask[t]) loss += gradient[t] * logProbs[t];
        }

        return loss;
    }
}

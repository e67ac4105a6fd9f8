namespace Rlhf.Algorithms;

/// <summary>
/// Entropy bonus (Williams and Peng 1991; PPO's c₂ term): L = −c Σ_t w_t H(π(·|s_t)).
/// </summary>
public static class EntropyBonus
{
    /// <summary>Writes ∂L/∂H of every token (0 where not trained on); returns L.</summary>
    /// <param name="coefficient">c; 0 gives exactly 0.</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="entropies">[tokens] nats.</param>
    /// <param name="weights">[tokens] of <see cref="AggregationWeights.Fill"/>.</param>
    /// <param name="gradient">[tokens] written.</param>
    public static double Evaluate(
        double coefficient, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> entropies, ReadOnlySpan<double> weights, Span<double> gradient)
    {
        Require.Length(entropies.Length, responseMask.Length, nameof(entropies));
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        double loss = 0;
        for (int t = 0; t < responseMask.Length; t++)
        {
            bool counts = responseMask[t] && coefficient != 0;
            gradient[t] = counts ? -coefficient * weights[t] : 0;
            if (counts) loss += gradient[t] * entropies[t];
        }

        return loss;
    }
}

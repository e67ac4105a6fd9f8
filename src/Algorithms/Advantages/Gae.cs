namespace Rlhf.Algorithms;

/// <summary>
/// Generalised advantage estimation (Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation"):
/// δ_t = r_t + γ V_{t+1} − V_t,  A_t = Σ_k (γλ)^k δ_{t+k},  returns R_t = A_t + V_t.
/// Deviation 1: a token that is not trained on (a tool's output between the policy's own tokens) is no step: t + 1 is the next trained-on
/// token, and what stands at the masked place changes nothing.
/// </summary>
public static class Gae
{
    /// <summary>Fills advantages and returns of a ragged batch; both 0 where not trained on.</summary>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="rewards">[tokens].</param>
    /// <param name="values">[tokens] V of the state before each token.</param>
    /// <param name="gamma">γ in [0, 1].</param>
    /// <param name="lambda">λ in [0, 1].</param>
    /// <param name="advantages">[tokens] written.</param>
    /// <param name="returns">[tokens] written.</param>
    /// <param name="bootstrapValues">[sequences] V after the last token, or empty: 0, the sequence ended.</param>
    public static void Compute(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, ReadOnlySpan<double> values,
        double gamma, double lambda, Span<double> advantages, Span<double> returns, ReadOnlySpan<double> bootstrapValues = default)
    {
        Require.Range(gamma is >= 0 and <= 1, gamma, "in [0, 1]");
        Require.Range(lambda is >= 0 and <= 1, lambda, "in [0, 1]");
        int tokens = responseMask.Length;
        Require.Ragged(offsets, tokens);
        Require.Length(rewards.Length, tokens, nameof(rewards));
        Require.Length(values.Length, tokens, nameof(values));
        Require.Length(advantages.Length, tokens, nameof(advantages));
        Require.Length(returns.Length, tokens, nameof(returns));
        Require.EmptyOrLength(bootstrapValues.Length, RaggedOffsets.SequenceCount(offsets), nameof(bootstrapValues));
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            double nextValue = bootstrapValues.IsEmpty ? 0 : bootstrapValues[i], accumulated = 0;
            for (int t = offsets[i + 1] - 1; t >= offsets[i]; t--)
            {
                if (!responseMask[t])
                {
                    advantages[t] = returns[t] = 0;
                    continue;
                }

                double delta = rewards[t] + (gamma * nextValue) - values[t];
                accumulated = delta + (gamma * lambda * accumulated);
                advantages[t] = accumulated;
                returns[t] = accumulated + values[t];
                nextValue = values[t];
            }
        }
    }
}

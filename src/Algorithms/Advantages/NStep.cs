namespace Rlhf.Algorithms;

/// <summary>
/// n-step advantages (Sutton and Barto 2018, equation 7.1; A2C/A3C: Mnih et al. 2016):
/// R_t = Σ_{k&lt;n} γ^k r_{t+k} + γ^n V_{t+n},  A_t = R_t − V_t; past the end of the sequence V and r are 0.
/// n = 1 is TD(0) (<see cref="TdZero"/>), n = ∞ is <see cref="MonteCarlo"/>. Steps are the trained-on tokens only, as in <see cref="Gae"/>.
/// </summary>
public static class NStep
{
    /// <summary>Fills advantages and returns of a ragged batch; both 0 where not trained on. Costs n operations a token.</summary>
    public static void Compute(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, ReadOnlySpan<double> values,
        double gamma, int steps, Span<double> advantages, Span<double> returns)
    {
        Require.Range(gamma is >= 0 and <= 1, gamma, "in [0, 1]");
        Require.Range(steps >= 1, steps, "at least 1");
        int tokens = responseMask.Length;
        Require.Ragged(offsets, tokens);
        Require.Length(rewards.Length, tokens, nameof(rewards));
        Require.Length(values.Length, tokens, nameof(values));
        Require.Length(advantages.Length, tokens, nameof(advantages));
        Require.Length(returns.Length, tokens, nameof(returns));
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
            {
                returns[t] = advantages[t] = 0;
                if (!responseMask[t]) continue;
                double sum = 0, discount = 1;
                int taken = 0, u = t;
                for (; u < offsets[i + 1] && taken < steps; u++)
                {
                    if (!responseMask[u]) continue;
                    sum += discount * rewards[u];
                    discount *= gamma;
                    taken++;
                }

                while (u < offsets[i + 1] && !responseMask[u]) u++;
                if (u < offsets[i + 1]) sum += discount * values[u];
                returns[t] = sum;
                advantages[t] = sum - values[t];
            }
        }
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Monte-Carlo returns (Sutton and Barto 2018, equation 3.8): G_t = r_t + γ G_{t+1}; the advantage is G_t − V_t, or G_t without values.
/// A token that is not trained on is no step, as in <see cref="Gae"/>.
/// </summary>
public static class MonteCarlo
{
    /// <summary>Fills G of every trained-on token, 0 elsewhere.</summary>
    public static void Returns(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, double gamma, Span<double> returns)
    {
        Require.Range(gamma is >= 0 and <= 1, gamma, "in [0, 1]");
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(rewards.Length, responseMask.Length, nameof(rewards));
        Require.Length(returns.Length, responseMask.Length, nameof(returns));
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            double next = 0;
            for (int t = offsets[i + 1] - 1; t >= offsets[i]; t--)
            {
                returns[t] = responseMask[t] ? next = rewards[t] + (gamma * next) : 0;
            }
        }
    }

    /// <summary>Fills G and A = G − V; both 0 where not trained on. Empty values are 0.</summary>
    public static void Compute(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, ReadOnlySpan<double> values, double gamma,
        Span<double> advantages, Span<double> returns)
    {
        Require.EmptyOrLength(values.Length, responseMask.Length, nameof(values));
        Require.Length(advantages.Length, responseMask.Length, nameof(advantages));
        Returns(offsets, responseMask, rewards, gamma, returns);
        for (int t = 0; t < advantages.Length; t++)
            advantages[t] = responseMask[t] ? returns[t] - (values.IsEmpty ? 0 : values[t]) : 0;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// TD(0) advantages (Sutton and Barto 2018, equation 6.5): A_t = δ_t = r_t + γ V_{t+1} − V_t, return r_t + γ V_{t+1}.
/// </summary>
public static class TdZero
{
    /// <summary>Fills advantages and returns; both 0 where not trained on.</summary>
    public static void Compute(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, ReadOnlySpan<double> values,
        double gamma, Span<double> advantages, Span<double> returns) =>
        Gae.Compute(offsets, responseMask, rewards, values, gamma, lambda: 0, advantages, returns);
}

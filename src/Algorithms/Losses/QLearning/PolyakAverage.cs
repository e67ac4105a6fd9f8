namespace Rlhf.Algorithms;

/// <summary>Slow copy of weights (Polyak and Juditsky 1992; Lillicrap et al. 2016): θ̄ ← (1 − α) θ̄ + α θ. α = 1 copies.</summary>
public static class PolyakAverage
{
    /// <summary>Updates <paramref name="target"/> in place.</summary>
    public static void Update(Span<float> target, ReadOnlySpan<float> online, double alpha)
    {
        Require.Range(alpha is > 0 and <= 1, alpha, "in (0, 1]");
        Require.Length(online.Length, target.Length, nameof(online));
        for (int i = 0; i < target.Length; i++) target[i] = (float)(((1 - alpha) * target[i]) + (alpha * online[i]));
    }
}

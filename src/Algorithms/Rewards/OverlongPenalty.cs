namespace Rlhf.Algorithms;

/// <summary>
/// Soft overlong punishment of DAPO (Yu et al. 2025, equation 13), with n tokens, limit L and buffer B:
/// 0 for n ≤ L − B;  ((L − B) − n) / B for L − B &lt; n ≤ L;  −1 beyond.
/// </summary>
public static class OverlongPenalty
{
    /// <summary>The (non-positive) number to add to the score.</summary>
    public static double Of(int length, int limit, int buffer)
    {
        Require.Range(buffer > 0 && buffer <= limit, buffer, "in 1..limit");
        int free = limit - buffer;
        if (length <= free) return 0;
        return length >= limit ? -1 : (double)(free - length) / buffer;
    }

    /// <summary>scores += factor · penalty.</summary>
    public static void Add(Span<double> scores, ReadOnlySpan<int> lengths, int limit, int buffer, double factor = 1)
    {
        Require.Length(lengths.Length, scores.Length, nameof(lengths));
        for (int i = 0; i < scores.Length; i++) scores[i] += factor * Of(lengths[i], limit, buffer);
    }
}

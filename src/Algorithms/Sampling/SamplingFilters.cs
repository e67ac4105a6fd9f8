namespace Rlhf.Algorithms;

/// <summary>
/// Reference sampling filters in float64, written to be read: the engines' fast samplers are tested against them. A filter turns off
/// entries of <c>keep</c>; at least one stays. Order in the engines: temperature, top-k, top-p over what top-k kept, min-p.
/// </summary>
public static class SamplingFilters
{
    /// <summary>logits ← logits / temperature.</summary>
    public static void Temperature(Span<double> logits, double temperature)
    {
        Require.Range(temperature > 0, temperature, "positive");
        foreach (ref double x in logits) x /= temperature;
    }

    /// <summary>Top-k (Fan et al. 2018): keeps the k largest and everything equal to the k-th; 0 keeps all.</summary>
    public static void TopK(ReadOnlySpan<double> logits, int k, Span<bool> keep)
    {
        Require.Range(k >= 0, k, "at least 0");
        double[] kept = Kept(logits, keep);
        if (k == 0 || k >= kept.Length) return;
        for (int v = 0; v < keep.Length; v++) keep[v] &= logits[v] >= kept[k - 1];
    }

    /// <summary>
    /// Top-p, nucleus (Holtzman et al. 2020): keeps the longest head, in falling order, whose share of the kept mass does not exceed p, at least one
    /// entry, and everything equal to the last one. 1 keeps all.
    /// Deviation 1: the border is that of OpenAI's lm-human-preferences; the paper's smallest set that <em>reaches</em> p is one entry longer.
    /// </summary>
    public static void TopP(ReadOnlySpan<double> logits, double p, Span<bool> keep)
    {
        Require.Range(p is >= 0 and <= 1, p, "in [0, 1]");
        double[] kept = Kept(logits, keep);
        if (p == 1) return;
        double logSum = LogSumExp.Of(kept), mass = Math.Exp(kept[0] - logSum);
        int last = 0;
        while (last + 1 < kept.Length && mass + Math.Exp(kept[last + 1] - logSum) <= p) mass += Math.Exp(kept[++last] - logSum);
        for (int v = 0; v < keep.Length; v++) keep[v] &= logits[v] >= kept[last];
    }

    /// <summary>Min-p (Nguyen et al. 2024): keeps entries with probability at least p times the largest one's; 0 keeps all.</summary>
    public static void MinP(ReadOnlySpan<double> logits, double p, Span<bool> keep)
    {
        Require.Range(p is >= 0 and <= 1, p, "in [0, 1]");
        double border = Kept(logits, keep)[0] + Math.Log(p);
        for (int v = 0; v < keep.Length; v++) keep[v] &= logits[v] >= border;
    }

    /// <summary>Log-probs over what is kept; −∞ elsewhere.</summary>
    public static void LogProbs(ReadOnlySpan<double> logits, ReadOnlySpan<bool> keep, Span<double> logProbs)
    {
        Require.Length(logProbs.Length, logits.Length, nameof(logProbs));
        double logSum = LogSumExp.Of(Kept(logits, keep));
        for (int v = 0; v < logits.Length; v++) logProbs[v] = keep[v] ? logits[v] - logSum : double.NegativeInfinity;
    }

    /// <summary>The first index whose cumulative probability exceeds <paramref name="uniform"/> in [0, 1); in order of the vocabulary.</summary>
    public static int Draw(ReadOnlySpan<double> logProbs, double uniform)
    {
        double sum = 0;
        int last = -1;
        for (int v = 0; v < logProbs.Length; v++)
        {
            if (double.IsNegativeInfinity(logProbs[v])) continue;
            last = v;
            sum += Math.Exp(logProbs[v]);
            if (uniform < sum) return v;
        }

        return last; // rounding left the sum a hair below 1
    }

    private static double[] Kept(ReadOnlySpan<double> logits, ReadOnlySpan<bool> keep)
    {
        Require.Length(keep.Length, logits.Length, nameof(keep));
        List<double> kept = [];
        for (int v = 0; v < logits.Length; v++)
            if (keep[v]) kept.Add(logits[v]);
        if (kept.Count == 0) throw new ArgumentException("keep has no true entry; a filter needs at least one token to keep.", nameof(keep));
        kept.Sort((a, b) => b.CompareTo(a));
        return [.. kept];
    }
}

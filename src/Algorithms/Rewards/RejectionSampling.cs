namespace Rlhf.Algorithms;

/// <summary>
/// Which samples to fine-tune on. Best-of-N: the best of each prompt (Nakano et al. 2021, WebGPT). Rejection sampling: those above a quantile of their
/// prompt's scores (Dong et al. 2023, RAFT; trlX's RFT).
/// </summary>
public static class RejectionSampling
{
    /// <summary>Keeps one best sample a prompt (the first of equals); none of a prompt without a valid sample.</summary>
    public static void BestOfN(ReadOnlySpan<int> groups, ReadOnlySpan<double> scores, ReadOnlySpan<bool> valid, Span<bool> keep)
    {
        Require.Length(scores.Length, groups.Length, nameof(scores));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        Require.Length(keep.Length, groups.Length, nameof(keep));
        keep.Clear();
        Dictionary<int, int> best = [];
        for (int i = 0; i < groups.Length; i++)
        {
            if (!GroupMoments.IsValid(valid, i)) continue;
            if (best.TryGetValue(groups[i], out int b) && scores[i] <= scores[b]) continue;
            best[groups[i]] = i;
        }

        foreach (int i in best.Values) keep[i] = true;
    }

    /// <summary>
    /// Keeps the valid samples whose score is at least the q-quantile of their prompt's valid scores (nearest rank: the ⌈q n⌉-th smallest).
    /// q = 0 keeps all, q = 1 the best ones.
    /// </summary>
    public static void AboveQuantile(
        ReadOnlySpan<int> groups, ReadOnlySpan<double> scores, ReadOnlySpan<bool> valid, double quantile, Span<bool> keep)
    {
        Require.Range(quantile is >= 0 and <= 1, quantile, "in [0, 1]");
        Require.Length(scores.Length, groups.Length, nameof(scores));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        Require.Length(keep.Length, groups.Length, nameof(keep));
        Dictionary<int, List<double>> sorted = [];
        for (int i = 0; i < groups.Length; i++)
        {
            if (!GroupMoments.IsValid(valid, i)) continue;
            if (!sorted.TryGetValue(groups[i], out List<double>? list)) sorted[groups[i]] = list = [];
            list.Add(scores[i]);
        }

        foreach (List<double> list in sorted.Values) list.Sort();
        for (int i = 0; i < groups.Length; i++)
        {
            keep[i] = false;
            if (!GroupMoments.IsValid(valid, i)) continue;
            List<double> list = sorted[groups[i]];
            keep[i] = scores[i] >= list[Math.Max(0, Share.Ceiling(quantile, list.Count) - 1)];
        }
    }
}

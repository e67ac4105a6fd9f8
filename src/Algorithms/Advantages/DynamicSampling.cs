namespace Rlhf.Algorithms;

/// <summary>
/// Dynamic sampling of DAPO (Yu et al. 2025, equation 11): a prompt whose samples all got the same reward has advantage 0 everywhere; it is dropped
/// and others are drawn until the batch is full.
/// </summary>
public static class DynamicSampling
{
    /// <summary>Fills true for every valid sample of a prompt with at least two different rewards; returns how many prompts stay.</summary>
    public static int Keep(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<bool> keep)
    {
        Require.Length(rewards.Length, groups.Length, nameof(rewards));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        Require.Length(keep.Length, groups.Length, nameof(keep));
        Dictionary<int, (double Low, double High)> ranges = [];
        for (int i = 0; i < groups.Length; i++)
        {
            if (!GroupMoments.IsValid(valid, i)) continue;
            ranges[groups[i]] = ranges.TryGetValue(groups[i], out (double Low, double High) r)
                ? (Math.Min(r.Low, rewards[i]), Math.Max(r.High, rewards[i]))
                : (rewards[i], rewards[i]);
        }

        for (int i = 0; i < groups.Length; i++)
            keep[i] = GroupMoments.IsValid(valid, i) && ranges[groups[i]].Low < ranges[groups[i]].High;
        int kept = 0;
        foreach ((double low, double high) in ranges.Values) kept += low < high ? 1 : 0;
        return kept;
    }
}

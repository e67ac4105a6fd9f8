namespace Rlhf.Algorithms;

/// <summary>Moments of the valid rewards of every group (all samples of one prompt), groups in any order and of any size.</summary>
internal static class GroupMoments
{
    public static Dictionary<int, Moments> Of(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid)
    {
        Require.Length(rewards.Length, groups.Length, nameof(rewards));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        Dictionary<int, Moments> moments = [];
        for (int i = 0; i < groups.Length; i++)
        {
            moments.TryGetValue(groups[i], out Moments m);
            moments[groups[i]] = IsValid(valid, i) ? m.With(rewards[i]) : m;
        }

        return moments;
    }

    public static bool IsValid(ReadOnlySpan<bool> valid, int i) => valid.IsEmpty || valid[i];
}

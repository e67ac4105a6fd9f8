namespace Rlhf.Algorithms;

/// <summary>
/// REINFORCE leave-one-out (Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"; Ahmadian et al. 2024, "Back to basics"):
/// b_i = Σ_{j≠i} r_j / (k − 1) over the valid samples of i's prompt, A_i = r_i − b_i.
/// Deviation 1: a sample without a valid companion has b_i = r_i, so A_i = 0: there is nothing to compare it with.
/// Deviation 2: an invalid sample (no score) has the k − 1 of the valid ones too, as in NeMo-RL, and A_i = 0.
/// </summary>
public static class Rloo
{
    /// <summary>Fills b_i.</summary>
    /// <param name="groups">[samples] id of the prompt.</param>
    /// <param name="rewards">[samples]; not read where invalid.</param>
    /// <param name="valid">[samples] true = has a score, or empty: all.</param>
    /// <param name="baselines">[samples] written.</param>
    public static void Baselines(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> baselines)
    {
        Require.Length(baselines.Length, groups.Length, nameof(baselines));
        Dictionary<int, (double Sum, int Count)> totals = [];
        Require.Length(rewards.Length, groups.Length, nameof(rewards));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        for (int i = 0; i < groups.Length; i++)
        {
            totals.TryGetValue(groups[i], out (double Sum, int Count) total);
            totals[groups[i]] = GroupMoments.IsValid(valid, i) ? (total.Sum + rewards[i], total.Count + 1) : total;
        }

        for (int i = 0; i < groups.Length; i++)
        {
            (double sum, int count) = totals[groups[i]];
            double own = GroupMoments.IsValid(valid, i) ? rewards[i] : 0;
            baselines[i] = count > 1 ? (sum - own) / (count - 1) : own;
        }
    }

    /// <summary>Fills A_i = r_i − b_i; 0 where invalid.</summary>
    public static void Advantages(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> advantages)
    {
        Baselines(groups, rewards, valid, advantages);
        for (int i = 0; i < groups.Length; i++) advantages[i] = GroupMoments.IsValid(valid, i) ? rewards[i] - advantages[i] : 0;
    }
}

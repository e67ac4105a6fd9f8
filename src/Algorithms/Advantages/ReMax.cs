namespace Rlhf.Algorithms;

/// <summary>
/// ReMax (Li et al. 2024, "ReMax: a simple, effective, and efficient reinforcement learning method for aligning large language models"):
/// A = r(sample) − r(greedy response to the same prompt).
/// </summary>
public static class ReMax
{
    /// <summary>Fills A of every sample.</summary>
    public static void Advantages(ReadOnlySpan<double> rewards, ReadOnlySpan<double> greedyRewards, Span<double> advantages)
    {
        Require.Length(greedyRewards.Length, rewards.Length, nameof(greedyRewards));
        Require.Length(advantages.Length, rewards.Length, nameof(advantages));
        for (int i = 0; i < rewards.Length; i++) advantages[i] = rewards[i] - greedyRewards[i];
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Group-relative advantages. GRPO (Shao et al. 2024, "DeepSeekMath", section 4.1.2): A_i = (r_i − mean) / (std + ε), sample std of i's prompt, ε = 1e−6.
/// Dr.GRPO (Liu et al. 2025, "Understanding R1-Zero-like training"): A_i = r_i − mean, without the division that favours easy and hard prompts.
/// Deviation 1: an invalid sample (no score) counts nowhere and has A = 0.
/// </summary>
public static class Grpo
{
    /// <summary>ε beside the standard deviation.</summary>
    public const double Epsilon = 1e-6;

    /// <summary>GRPO's A.</summary>
    /// <param name="groups">[samples] id of the prompt.</param>
    /// <param name="rewards">[samples]; not read where invalid.</param>
    /// <param name="valid">[samples] true = has a score, or empty: all.</param>
    /// <param name="advantages">[samples] written.</param>
    public static void Advantages(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> advantages) =>
        Fill(groups, rewards, valid, advantages, m => Math.Sqrt(m.SampleVariance) + Epsilon);

    /// <summary>Dr.GRPO's A.</summary>
    /// <inheritdoc cref="Advantages" path="/param"/>
    public static void CentredAdvantages(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> advantages) =>
        Fill(groups, rewards, valid, advantages, _ => 1);

    private static void Fill(
        ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> advantages, Func<Moments, double> divisor)
    {
        Require.Length(advantages.Length, groups.Length, nameof(advantages));
        Dictionary<int, Moments> moments = GroupMoments.Of(groups, rewards, valid);
        for (int i = 0; i < groups.Length; i++)
        {
            Moments m = moments[groups[i]];
            advantages[i] = GroupMoments.IsValid(valid, i) ? (rewards[i] - m.Mean) / divisor(m) : 0;
        }
    }
}

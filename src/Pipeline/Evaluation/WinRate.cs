using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>A policy against a baseline on the same prompts and random addresses. The unit of every interval is the prompt.</summary>
/// <param name="Prompts">Prompts with a score on both sides.</param>
/// <param name="Samples">Pairs of responses.</param>
/// <param name="Excluded">Pairs left out because a reward did not apply.</param>
/// <param name="Win">Share of pairs that the policy wins; a tie counts half.</param>
/// <param name="Ties">Share of ties.</param>
/// <param name="Policy">Mean score of the policy.</param>
/// <param name="Baseline">Mean score of the baseline.</param>
/// <param name="Difference">Mean difference, paired by prompt.</param>
/// <param name="PolicyLength">Mean response tokens.</param>
/// <param name="BaselineLength">Mean response tokens.</param>
public sealed record WinRate(
    int Prompts, int Samples, int Excluded, Estimate Win, double Ties, Estimate Policy, Estimate Baseline, Estimate Difference, double PolicyLength, double BaselineLength)
{
    /// <summary>Compares row by row: both files hold the same prompts and samples in the same order.</summary>
    public static WinRate Of(IReadOnlyList<ScoredRollout> policy, IReadOnlyList<ScoredRollout> baseline, ulong seed)
    {
        if (policy.Count != baseline.Count) throw new ArgumentException($"{policy.Count} responses against {baseline.Count}; expected equally many.", nameof(baseline));
        var prompts = new Dictionary<string, List<(double Policy, double Baseline)>>(StringComparer.Ordinal);
        int excluded = 0;
        for (int i = 0; i < policy.Count; i++)
        {
            if (policy[i].Rollout.PromptId != baseline[i].Rollout.PromptId) throw new ArgumentException($"row {i}: prompt '{policy[i].Rollout.PromptId}' against '{baseline[i].Rollout.PromptId}'.", nameof(baseline));
            if (policy[i].Scores.Score is not { } own || baseline[i].Scores.Score is not { } other)
            {
                excluded++;
                continue;
            }

            if (!prompts.TryGetValue(policy[i].Rollout.PromptId, out List<(double, double)>? pairs)) prompts[policy[i].Rollout.PromptId] = pairs = [];
            pairs.Add((own, other));
        }

        List<(double Policy, double Baseline)>[] groups = [.. prompts.Values];
        int count = groups.Sum(g => g.Count);
        Estimate Mean(Func<(double Policy, double Baseline), double> value, uint address)
        {
            (double Sum, int Count)[] sums = [.. groups.Select(g => (g.Sum(value), g.Count))];
            return Estimate.Of(groups.Length, d => d.Sum(i => sums[i].Sum) / d.Sum(i => sums[i].Count), count, seed, address);
        }

        return new WinRate(
            groups.Length, count, excluded,
            Mean(p => p.Policy > p.Baseline ? 1 : p.Policy == p.Baseline ? 0.5 : 0, 4), groups.SelectMany(g => g).Count(p => p.Policy == p.Baseline) / (double)Math.Max(1, count),
            Mean(p => p.Policy, 5), Mean(p => p.Baseline, 6), Mean(p => p.Policy - p.Baseline, 7),
            policy.Average(r => r.Rollout.ResponseTokens.Length), baseline.Average(r => r.Rollout.ResponseTokens.Length));
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What can be told from scored responses alone; names of the metric catalogue.</summary>
public static class RolloutStatistics
{
    /// <summary><see cref="DistinctN"/> over all responses together.</summary>
    public static double Distinct(IEnumerable<int[]> responses, int n)
    {
        int[][] all = [.. responses];
        return DistinctN.Of(RaggedOffsets.FromLengths([.. all.Select(r => r.Length)]), all.SelectMany(r => r).ToArray(), n);
    }

    /// <summary>Mean k3 of KL(policy‖reference) in nats per token, from the log-probs that the rows carry; NaN when none does.</summary>
    public static double KlPerToken(IEnumerable<ScoredRollout> rows)
    {
        double sum = 0;
        long tokens = 0;
        foreach (ScoredRollout row in rows)
        {
            if (row.Scores.ReferenceLogprobs is not { } reference) continue;
            for (int t = 0; t < reference.Length; t++) sum += KlEstimators.Estimate(KlEstimator.K3, row.Rollout.PolicyLogprobs[t], reference[t]);
            tokens += reference.Length;
        }

        return tokens == 0 ? double.NaN : sum / tokens;
    }

    /// <summary>Distinct-1 and -2, share of EOS, and mean and deviation of every named reward.</summary>
    public static Dictionary<string, double> Of(IReadOnlyList<ScoredRollout> rows)
    {
        var metrics = new Dictionary<string, double>
        {
            ["rollout/eos_share"] = rows.Average(r => r.Rollout.FinishReason == FinishReason.Length ? 0.0 : 1),
            ["rollout/distinct_1"] = Distinct(rows.Select(r => r.Rollout.ResponseTokens), 1),
            ["rollout/distinct_2"] = Distinct(rows.Select(r => r.Rollout.ResponseTokens), 2),
        };
        foreach (string name in rows.SelectMany(r => r.Scores.Rewards.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            double[] values = [.. rows.Where(r => r.Scores.Rewards.ContainsKey(name)).Select(r => r.Scores.Rewards[name])];
            Moments moments = Moments.Of(values);
            metrics[$"reward/{name}/mean"] = moments.Mean;
            metrics[$"reward/{name}/std"] = Math.Sqrt(moments.SampleVariance);
        }

        return metrics;
    }
}

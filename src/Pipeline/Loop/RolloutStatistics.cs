using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What can be told from scored responses alone; names of the metric catalogue.</summary>
public static class RolloutStatistics
{
    /// <summary>Different n-grams of tokens / all n-grams, over all responses together (Li et al. 2016).</summary>
    public static double Distinct(IEnumerable<int[]> responses, int n)
    {
        var seen = new HashSet<long>();
        long all = 0;
        foreach (int[] tokens in responses)
        {
            for (int i = 0; i + n <= tokens.Length; i++)
            {
                long key = 0;
                for (int k = 0; k < n; k++) key = (key * 1_000_003) + tokens[i + k] + 1;
                seen.Add(key);
                all++;
            }
        }

        return all == 0 ? 0 : (double)seen.Count / all;
    }

    /// <summary>Mean k3 of KL(policy‖reference) in nats per token, from the log-probs that the rows carry.</summary>
    public static double KlPerToken(IEnumerable<ScoredRollout> rows)
    {
        double sum = 0;
        long tokens = 0;
        foreach (ScoredRollout row in rows)
        {
            if (row.Scores.ReferenceLogprobs is not { } reference) continue;
            for (int t = 0; t < reference.Length; t++)
            {
                double d = reference[t] - row.Rollout.PolicyLogprobs[t];
                sum += Math.Exp(Math.Min(d, 20)) - 1 - d;
            }

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
            double mean = values.Average();
            metrics[$"reward/{name}/mean"] = mean;
            metrics[$"reward/{name}/std"] = values.Length < 2 ? 0 : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
        }

        return metrics;
    }
}

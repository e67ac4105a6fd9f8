namespace Rlhf.Core;

/// <summary>Which charts the report has, in groups; a chart without data is left out.</summary>
internal static class ReportCharts
{
    public static IReadOnlyList<(string Heading, IReadOnlyList<Chart> Charts)> For(IReadOnlyList<MetricRow> rows)
    {
        const string prefix = "reward/", suffix = "/mean";
        ChartSeries[] rewards = [.. rows.SelectMany(r => r.Values.Keys).Distinct()
            .Where(k => k.StartsWith(prefix, StringComparison.Ordinal) && k.EndsWith(suffix, StringComparison.Ordinal) && k.Length > prefix.Length + suffix.Length)
            .Order(StringComparer.Ordinal)
            .Select(k => new ChartSeries(k[prefix.Length..^suffix.Length], k))];
        return
        [
            ("What was learnt",
            [
                new("Score", "", [new("training prompts", "score/mean", "score/std")]),
                new("Reward after the KL penalty", "", [new("mean per response", "reward/mean", "reward/std")]),
                new("Each reward before its weight", "", rewards.Length > 1 ? rewards : []),
                new("Loss", "nats", [new("training", "loss"), new("held-out", "eval/loss")]),
                new("Accuracy", "share", [new("training", "accuracy"), new("held-out", "eval/accuracy")]) { AtLeast = (0.5, 1) },
            ]),
            ("How far it moved, and what it writes",
            [
                new("KL to the reference", "nats per token", [new("k3", "kl/k3_per_token"), new("k1", "kl/k1_per_token")]) { FromZero = true },
                new("KL coefficient β", "", [new("β", "kl/coefficient")]) { FromZero = true },
                new("Entropy of the policy", "nats per token", [new("entropy", "entropy")]) { FromZero = true },
                new("Response length", "tokens", [new("mean", "rollout/length_mean"), new("longest", "rollout/length_max")]) { FromZero = true },
                new("Variety and endings", "share", [new("different bigrams", "rollout/distinct_2"), new("ended by themselves", "rollout/eos_share")]) { AtLeast = (0, 1) },
            ]),
            ("How the optimisation went",
            [
                new("Policy loss", "", [new("policy loss", "policy/loss")]),
                new("Value loss", "", [new("value loss", "value/loss")]) { FromZero = true },
                new("Explained variance of the value head", "", [new("explained variance", "value/explained_variance")]) { AtLeast = (0, 1) },
                new("Clipped", "share of tokens", [new("policy ratios", "policy/clip_fraction"), new("values", "value/clip_fraction")]) { FromZero = true },
                new("Movement of one update", "nats per token", [new("approximate KL", "policy/approx_kl")]) { FromZero = true },
                new("Gradient norm before clipping", "", [new("mean", "grad_norm"), new("largest", "grad_norm_max")]) { FromZero = true },
                new("Learning rate", "", [new("policy", "learning_rate")]) { FromZero = true },
            ]),
            ("Is the exported model the trained one?",
            [
                new("Rollout engine against trainer", "nats", [new("mean |Δ log p|", "rollout/engine_logprob_gap_mean"), new("largest", "rollout/engine_logprob_gap_max")]) { FromZero = true },
                new("First ratio minus 1", "", [new("max |ratio − 1|", "policy/ratio_max_minus_1_first")]) { FromZero = true },
                new("Export gate", "", [new("mean |Δp|", "gate/mean_abs_dp")]) { FromZero = true },
            ]),
            ("Where the time went",
            [
                new("Time a stage", "seconds", [new("generation", "time/generation_seconds"), new("scoring", "time/scoring_seconds"), new("optimization", "time/optimization_seconds"),
                    new("export", "time/export_seconds"), new("checkpoint", "time/checkpoint_seconds")]) { IsStacked = true },
                new("Throughput", "tokens/s", [new("generation", "time/generation_tokens_per_second"), new("optimization", "time/optimization_tokens_per_second")]) { FromZero = true },
                new("Peak memory", "MiB", [new("resident", "time/peak_memory_bytes")]) { FromZero = true, Divisor = 1 << 20 },
            ]),
        ];
    }
}

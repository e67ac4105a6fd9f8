namespace Rlhf.Core.Tests;

/// <summary>A report with made-up numbers, labelled as such; to look at the page, set RLHF_REPORT_OUT to a file and run the tests.</summary>
internal static class SampleReport
{
    public static ReportData Make(int iterations = 20) => new()
    {
        Title = "TEST DATA: PPO of a small policy for positive reviews",
        Summary = "Every number on this page is made up by a test; it shows the layout, not a result.",
        Facts = [$"{iterations} iterations", "64 responses each", "6 min 12 s", "seed 17", "2 threads, CPU"],
        Metrics = [.. Enumerable.Range(1, iterations).Select(i => Row(i, iterations))],
        Outcomes =
        [
            new("Mean P(positive), held-out prompts", 0.508, 0.934, Better.Higher, Note: "256 fresh samples from prompts that training never saw", IsHeadline: true),
            new("KL to the reference per token", 0, 0.0413, Better.Neither, "nats", "k3 estimate; how far the policy moved", IsHeadline: true),
            new("Different bigrams", 0.812, 0.747, Better.Higher, Note: "share of different bigrams (distinct-2); falls when the policy repeats itself", IsHeadline: true),
            new("Response length", 47.2, 46.1, Better.Neither, "tokens", "mean", IsHeadline: true),
            new("Ended by themselves", 0.41, 0.48, Better.Higher, Note: "share of responses with an end-of-text token"),
        ],
        Samples =
        [
            new(
                "This movie was",
                new ReportResponse(" a total waste of time. The plot makes no sense & the actors <seem> bored.", 0.041, new Dictionary<string, double> { ["sentiment"] = 0.041 }, "eos"),
                new ReportResponse(" a wonderful surprise from start to finish. The acting is superb, and I loved every minute of it. Highly recommended!", 0.991, new Dictionary<string, double> { ["sentiment"] = 0.991 }, "eos")),
            new(
                "I went into this film expecting <b>nothing</b>, and",
                new ReportResponse(" that is what I got. The first hour is slow, the second", 0.122, new Dictionary<string, double> { ["sentiment"] = 0.122, ["length"] = -0.1 }, "length"),
                new ReportResponse(" came out smiling.\n\nOne of the best films of the year.", 0.975, new Dictionary<string, double> { ["sentiment"] = 0.985, ["length"] = -0.01 }, "eos")),
            new("The director", new ReportResponse("", null), null),
        ],
        SamplesNote = "The first 3 held-out prompts in file order, one sample each at temperature 1; not chosen by score.",
        Warnings = ["Iteration 7: the target KL ended the update early (0.031 > 0.03). If this repeats, lower the learning rate.", "Peak memory grew in iteration 12."],
        Artifacts = [new("Tuned policy (ONNX)", "runs/demo/policy"), new("Tuned policy (Hugging Face)", "runs/demo/weights"), new("Talk to it", "./rlhf chat --policy runs/demo/policy")],
        ConfigYaml = ConfigWriter.ToYaml(new SampleConfig { Policy = "/models/tiny" }),
        Environment = [new("Rlhf.Onnx", "0.1.0"), new("ONNX Runtime", "1.29.0"), new(".NET", "10.0.0"), new("Machine", "Linux, X64, 2 processors"), new("Policy before", new string('a', 64))],
    };

    /// <summary>Smooth curves with addressed noise, so that the page is the same each time.</summary>
    private static MetricRow Row(int i, int n)
    {
        double t = (i - 1.0) / Math.Max(1, n - 1), rise = 1 - Math.Exp(-3.5 * t);
        double Noise(uint c, double size) => size * AddressedRandom.Normal(5, AddressedRandom.Stream.Probe, (uint)i, c);
        Dictionary<string, double> values = new()
        {
            ["score/mean"] = 0.51 + (0.43 * rise) + Noise(1, 0.01), ["score/std"] = 0.3 - (0.2 * rise), ["reward/mean"] = 0.5 + (0.4 * rise) + Noise(2, 0.01), ["reward/std"] = 0.31 - (0.2 * rise),
            ["reward/sentiment/mean"] = 0.51 + (0.44 * rise), ["reward/length/mean"] = -0.1 + (0.05 * rise) + Noise(3, 0.01),
            ["kl/k3_per_token"] = 0.045 * t, ["kl/k1_per_token"] = (0.045 * t) + Noise(4, 0.002), ["kl/coefficient"] = 0.05 * (1 + t), ["entropy"] = 3.1 - (0.5 * rise) + Noise(5, 0.03),
            ["policy/loss"] = -0.01 + Noise(6, 0.004), ["value/loss"] = 0.12 * Math.Exp(-4 * t), ["value/explained_variance"] = -0.2 + (0.9 * rise), ["policy/clip_fraction"] = 0.12 + Noise(7, 0.02),
            ["value/clip_fraction"] = 0.05, ["policy/approx_kl"] = 0.011 + Noise(8, 0.002), ["grad_norm"] = 0.8 + Noise(9, 0.1), ["grad_norm_max"] = 1.6 + Noise(10, 0.2), ["learning_rate"] = 1e-4 * (1 - t),
            ["rollout/length_mean"] = 47 + Noise(11, 1), ["rollout/length_max"] = 64, ["rollout/eos_share"] = 0.41 + (0.07 * t), ["rollout/distinct_2"] = 0.81 - (0.06 * t),
            ["rollout/engine_logprob_gap_mean"] = 3e-6, ["rollout/engine_logprob_gap_max"] = 4e-5 + Noise(12, 5e-6), ["policy/ratio_max_minus_1_first"] = 1.2e-5, ["gate/mean_abs_dp"] = 2e-6,
            ["time/generation_seconds"] = 4.2 + Noise(13, 0.2), ["time/scoring_seconds"] = 1.1, ["time/optimization_seconds"] = 9.8 + Noise(14, 0.3), ["time/export_seconds"] = 0.6,
            ["time/checkpoint_seconds"] = 0.3, ["time/generation_tokens_per_second"] = 2400 + Noise(15, 80), ["time/optimization_tokens_per_second"] = 5200 + Noise(16, 150), ["time/peak_memory_bytes"] = 9.1e8 + (1e6 * i),
        };
        if (i == 7) values["policy/loss"] = double.NaN;
        return new MetricRow(i, values);
    }
}

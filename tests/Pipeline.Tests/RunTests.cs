using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary><c>rlhf run</c> to its end: exit code, files, metrics, report.</summary>
public sealed class RunTests
{
    [Test]
    public void EndsWithDoneAndTellsWhereThingsAre() => Assert.Multiple(() =>
    {
        Assert.That(TinyRun.Outcome.Code, Is.Zero, TinyRun.Outcome.ToString());
        Assert.That(TinyRun.Outcome.Output, Does.Contain("report.html").And.Contain("held-out prompts"));
        Assert.That(TinyRun.Outcome.Error, Does.Not.Contain("error"));
    });

    [Test]
    public void TheRunDirectoryHoldsTheDocumentedFiles() => Assert.Multiple(() =>
    {
        foreach (string file in (string[])
            ["config.resolved.yaml", "manifest.json", "metrics.jsonl", "report.html", "policy/model.onnx", "policy/genai_config.json", "policy/tokenizer.json",
             "weights/config.json", "weights/model.safetensors", "weights/tokenizer.json", "evaluation/before/scored.parquet", "evaluation/after/scored.parquet"])
        {
            Assert.That(Path.Combine(TinyRun.Run, file), Does.Exist);
        }

        for (int i = 1; i <= TinyRun.Iterations; i++)
        {
            foreach (string file in (string[])["prompts.jsonl", "rollouts.parquet", "scored.parquet", "trajectories.parquet", "policy/model.onnx", "files.json"])
                Assert.That(TinyRun.Iteration(i, file), Does.Exist);
            Assert.That(Path.Combine(TinyRun.Run, "checkpoints", $"{i:0000}", "files.json"), Does.Exist);
        }

        Assert.That(Directory.GetFiles(Path.Combine(TinyRun.Run, "tensorboard")), Is.Not.Empty);
        Assert.That(Directory.GetFileSystemEntries(TinyRun.Run, "*.partial", SearchOption.AllDirectories), Is.Empty);
    });

    [Test]
    public void EveryIterationHasThePolicyMetricsAndStartsAtRatioOne()
    {
        IReadOnlyList<MetricRow> rows = MetricsFile.Read(Path.Combine(TinyRun.Run, "metrics.jsonl"));
        Assert.That(rows.Select(r => r.Iteration), Is.EqualTo(Enumerable.Range(1, TinyRun.Iterations)));
        foreach (MetricRow row in rows)
        {
            foreach (string name in (string[])
                ["policy/ratio_max_minus_1_first", "policy/ratio_max", "kl/k1_per_token", "entropy", "rollout/engine_logprob_gap_max", "rollout/eos_share", "rollout/distinct_2",
                 "reward/length/mean", "tokens/total", "time/iteration_seconds", "gate/mean_abs_dp"])
            {
                Assert.That(row.Values, Does.ContainKey(name));
            }

            Assert.That(row.Values.Where(v => !double.IsFinite(v.Value)), Is.Empty);
            Assert.That(row.Values["policy/ratio_max_minus_1_first"], Is.LessThan(1e-3), "before the first step the trainer's log-probs are the old ones");
            Assert.That(row.Values["rollout/engine_logprob_gap_max"], Is.LessThan(1e-4), "the rollout engine computes the trainer's distribution");
            // Two epochs of 16 responses in minibatches of 8 change the weights.
            Assert.That(row.Values["policy/ratio_max"], Is.GreaterThan(1 + 1e-4));
        }

        // The first rollouts are the reference's own: KL is zero up to the engines' rounding.
        Assert.That(rows[0].Values["kl/k1_per_token"], Is.EqualTo(0).Within(1e-4));
        Assert.That(rows[^1].Values["tokens/total"], Is.GreaterThan(rows[0].Values["tokens/total"]).And.LessThanOrEqualTo(TinyRun.Iterations * TinyRun.Responses * TinyRun.MaxNewTokens));
    }

    [Test]
    public void InspectFindsTheRunWhole()
    {
        Ended ended = Programs.Rlhf("inspect", TinyRun.Run);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Output, Does.Not.Contain("not finished"));
        foreach (string item in (string[])["config.resolved.yaml", "metrics.jsonl", "iterations/0000/policy", "iterations/0003", "iterations/0003/policy", "checkpoints/0003", "policy", "weights", "evaluation/after"])
            Assert.That(ended.Output.Split('\n'), Has.Some.Match($"^\\| {item} +\\| whole"), item);
    }
}

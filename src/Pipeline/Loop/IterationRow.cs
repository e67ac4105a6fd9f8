using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>What the loop itself adds to an iteration's metrics: tokens so far, times, memory.</summary>
internal static class IterationRow
{
    /// <summary>Generation, scoring and optimization.</summary>
    /// <param name="row">Gets them.</param>
    /// <param name="config">Of the run.</param>
    /// <param name="before">Rows of the iterations before.</param>
    /// <param name="drawn">The responses.</param>
    /// <param name="optimizationSeconds">Wall-clock of the training.</param>
    public static void AddStages(Dictionary<string, double> row, RunConfig config, IReadOnlyList<MetricRow> before, CollectedRollouts drawn, double optimizationSeconds)
    {
        row["tokens/total"] = drawn.Tokens + (before.Count > 0 ? before[^1].Values.GetValueOrDefault("tokens/total") : 0);
        row["time/generation_seconds"] = drawn.GenerationSeconds;
        row["time/scoring_seconds"] = drawn.ScoringSeconds;
        row["time/optimization_seconds"] = optimizationSeconds;
        row["time/generation_tokens_per_second"] = drawn.Tokens / drawn.GenerationSeconds;
        row["time/optimization_tokens_per_second"] =
            drawn.Rows.Sum(r => (long)r.Rollout.PromptTokens.Length + r.Rollout.ResponseTokens.Length) * config.Method.Epochs / optimizationSeconds;
    }

    /// <summary>The checkpoint, the whole iteration, and memory as it is now.</summary>
    /// <param name="row">Gets them.</param>
    /// <param name="checkpointSeconds">Waiting for the checkpoint before, and copying for this one.</param>
    /// <param name="writeSeconds">What writing the one before took beside the iteration.</param>
    /// <param name="writeProcessorSeconds">What of it a processor worked.</param>
    /// <param name="seconds">Of the iteration.</param>
    public static void AddEnd(Dictionary<string, double> row, double checkpointSeconds, double writeSeconds, double writeProcessorSeconds, double seconds)
    {
        row["time/checkpoint_seconds"] = checkpointSeconds;
        row["time/checkpoint_write_seconds"] = writeSeconds;
        row["time/checkpoint_processor_seconds"] = writeProcessorSeconds;
        row["time/iteration_seconds"] = seconds;
        row["time/checkpoint_share"] = checkpointSeconds / seconds;
        using var process = Process.GetCurrentProcess();
        (row["time/memory_bytes"], row["time/peak_memory_bytes"]) = (process.WorkingSet64, process.PeakWorkingSet64);
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>η: linear warm-up over steps, times the schedule's factor at the share of training done (steps, or time where a run is bounded by minutes).</summary>
public static class LearningRate
{
    private const long Resolution = 1_000_000;

    /// <param name="config">Peak, shape, warm-up and final fraction.</param>
    /// <param name="step">Zero-based optimiser step.</param>
    /// <param name="progress">Share of training done, 0..1.</param>
    public static double At(OptimizerConfig config, long step, double progress)
    {
        var shape = (ScheduleShape)config.Schedule;
        double factor = new LearningRateSchedule(shape, Resolution, 0, config.FinalFraction).Factor((long)(Math.Clamp(progress, 0, 1) * Resolution));
        double warm = config.WarmupSteps > 0 ? Math.Min(1, (step + 1) / (double)config.WarmupSteps) : 1;
        return config.LearningRate * warm * factor;
    }
}

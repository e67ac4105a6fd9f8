namespace Rlhf.Algorithms;

/// <summary>The shape of a learning-rate schedule after its warm-up.</summary>
public enum ScheduleShape
{
    /// <summary>1.</summary>
    Constant,

    /// <summary>Straight from 1 to the final factor.</summary>
    Linear,

    /// <summary>Half a cosine from 1 to the final factor (Loshchilov and Hutter 2017, SGDR).</summary>
    Cosine,
}

/// <summary>
/// The factor on the peak learning rate at optimiser step s = 0, 1, … of N, with W warm-up steps and final factor f:
/// (s + 1) / W for s &lt; W; then with p = (s − W) / (N − W): 1;  1 − (1 − f) p;  f + (1 − f)(1 + cos πp)/2. Beyond N it stays at p = 1.
/// The first step is never 0: a step that changes nothing is a wasted batch.
/// </summary>
public sealed class LearningRateSchedule
{
    private readonly ScheduleShape _shape;
    private readonly long _warmup;
    private readonly long _total;
    private readonly double _final;

    /// <param name="shape">After the warm-up.</param>
    /// <param name="totalSteps">N ≥ 1; optimiser steps of the whole run.</param>
    /// <param name="warmupSteps">W in 0..N.</param>
    /// <param name="finalFactor">f in [0, 1].</param>
    public LearningRateSchedule(ScheduleShape shape, long totalSteps, long warmupSteps = 0, double finalFactor = 0)
    {
        Require.Range(totalSteps >= 1, totalSteps, "at least 1");
        Require.Range(warmupSteps >= 0 && warmupSteps <= totalSteps, warmupSteps, "in 0..totalSteps");
        Require.Range(finalFactor is >= 0 and <= 1, finalFactor, "in [0, 1]");
        (_shape, _total, _warmup, _final) = (shape, totalSteps, warmupSteps, finalFactor);
    }

    /// <summary>Factor in [0, 1] at a step.</summary>
    public double Factor(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < _warmup) return (double)(step + 1) / _warmup;
        double progress = _total == _warmup ? 1 : Math.Min(1, (double)(step - _warmup) / (_total - _warmup));
        return _shape switch
        {
            ScheduleShape.Constant => 1,
            ScheduleShape.Linear => 1 - ((1 - _final) * progress),
            ScheduleShape.Cosine => _final + ((1 - _final) * 0.5 * (1 + Math.Cos(Math.PI * progress))),
            _ => throw new InvalidOperationException($"unknown schedule shape {_shape}"),
        };
    }
}

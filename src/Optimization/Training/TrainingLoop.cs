using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What one optimiser step tells.</summary>
/// <param name="Loss">Of the step's batch.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Tokens">Tokens trained on; 0: not counted.</param>
public readonly record struct TrainingStep(double Loss, double GradientNorm, long Tokens = 0);

/// <summary>
/// The loop of every training on a fixed data set (SFT, reward models, preferences, ILQL): steps with the share of training done, a smoothed loss, an
/// evaluation every so often and at the end, one row of the log each, a limit in minutes, cancellation between steps.
/// </summary>
public sealed class TrainingLoop : IDisposable
{
    private const double Smoothing = 0.98;

    private readonly OptimizerConfig _optimizer;
    private readonly long _steps;
    private readonly int _evaluateEvery;
    private readonly double _maxMinutes;
    private readonly double _epochsPerStep;
    private bool _stopped;

    /// <param name="name">Of the log: NAME.metrics.jsonl.</param>
    /// <param name="output">Folder of the log.</param>
    /// <param name="steps">Optimiser steps of the whole training, of <see cref="PlannedSteps"/>.</param>
    /// <param name="evaluateEvery">Steps between evaluations.</param>
    /// <param name="epochsPerStep">Share of the data that a step sees.</param>
    /// <param name="optimizer">For the learning rate in the log.</param>
    /// <param name="maxMinutes">Stop after this time, with the schedule run to its end; 0: never.</param>
    public TrainingLoop(string name, string output, long steps, int evaluateEvery, double epochsPerStep, OptimizerConfig optimizer, double maxMinutes = 0)
    {
        (_steps, _evaluateEvery, _epochsPerStep, _optimizer, _maxMinutes) = (steps, evaluateEvery, epochsPerStep, optimizer, maxMinutes);
        Log = new TrainingLog(output, name, steps);
    }

    /// <summary>For rows after the loop.</summary>
    public TrainingLog Log { get; }

    /// <summary>Optimiser steps of a configuration.</summary>
    /// <param name="epochs">Passes over the data.</param>
    /// <param name="examples">Examples of one pass.</param>
    /// <param name="batchSize">Examples of a step.</param>
    /// <param name="maxSteps">Most steps; 0: as many as the epochs make.</param>
    /// <exception cref="ConfigurationException">That is no step at all.</exception>
    public static long PlannedSteps(double epochs, long examples, int batchSize, int maxSteps)
    {
        long steps = (long)Math.Ceiling(epochs * examples / batchSize);
        if (maxSteps > 0) steps = Math.Min(steps, maxSteps);
        return steps > 0 ? steps : throw new ConfigurationException($"epochs is {epochs.ToString(CultureInfo.InvariantCulture)}: that is no step at all. Give a positive number.");
    }

    /// <summary>Ends the training after the evaluation that calls this (early stopping).</summary>
    public void Stop() => _stopped = true;

    /// <summary>Runs to the end.</summary>
    /// <param name="step">Takes a step: (step from 0, share of training done from 0 to 1).</param>
    /// <param name="evaluate">Evaluates (and saves) after a step; what it returns is logged by the names of the metric catalogue.</param>
    /// <param name="cancellation">Honoured between steps.</param>
    public void Run(Func<long, double, TrainingStep> step, Func<(string Name, double Value)[]> evaluate, CancellationToken cancellation)
    {
        double smooth = double.NaN, seconds = 0;
        long tokens = 0;
        Stopwatch clock = Stopwatch.StartNew();
        for (long done = 1; done <= _steps; done++)
        {
            cancellation.ThrowIfCancellationRequested();
            double minutes = clock.Elapsed.TotalMinutes;
            bool outOfTime = _maxMinutes > 0 && minutes >= _maxMinutes;
            double progress = Math.Max((done - 1) / (double)_steps, _maxMinutes > 0 ? minutes / _maxMinutes : 0);
            long started = Stopwatch.GetTimestamp();
            TrainingStep taken = step(done - 1, progress);
            seconds += Stopwatch.GetElapsedTime(started).TotalSeconds;
            tokens += taken.Tokens;
            smooth = double.IsNaN(smooth) ? taken.Loss : (Smoothing * smooth) + ((1 - Smoothing) * taken.Loss);
            Log.Advance(smooth);
            bool last = done == _steps || outOfTime;
            if (last || done % _evaluateEvery == 0)
            {
                double left = _maxMinutes > 0 ? _maxMinutes - minutes : clock.Elapsed.TotalMinutes / done * (_steps - done);
                var row = new List<(string, double)> { ("loss", smooth) };
                row.AddRange(evaluate());
                row.AddRange([("learning_rate", LearningRate.At(_optimizer, done - 1, progress)), ("grad_norm", taken.GradientNorm), ("epoch", done * _epochsPerStep)]);
                if (tokens > 0) row.AddRange([("tokens/trained", tokens), ("time/optimization_tokens_per_second", tokens / seconds)]);
                Log.Row(
                    string.Create(CultureInfo.InvariantCulture, $"step {done}"), last ? "" : string.Create(CultureInfo.InvariantCulture, $"{left:F1} minutes left"), [.. row]);
            }

            if (outOfTime || _stopped) return;
        }
    }

    public void Dispose() => Log.Dispose();
}

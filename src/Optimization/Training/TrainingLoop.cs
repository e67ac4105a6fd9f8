using System.Diagnostics;
using System.Globalization;
using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What one optimiser step tells.</summary>
/// <param name="Loss">Of the step's batch.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Tokens">Tokens trained on; 0: not counted.</param>
public readonly record struct TrainingStep(double Loss, double GradientNorm, long Tokens = 0);

/// <summary>
/// The loop of every training on a fixed data set (SFT, reward models, preferences, ILQL): steps with the share of training done, a smoothed loss, an
/// evaluation every so often and at the end, one row of the log each, a limit in minutes, checkpoints. Interrupted, it finishes its step, writes a
/// checkpoint and stops; made again with the same checkpoint, it goes on there.
/// </summary>
public sealed class TrainingLoop : IDisposable
{
    private const double Smoothing = 0.98;

    private readonly TrainingConfig _config;
    private readonly TrainingCheckpoint _checkpoint;
    private readonly long _steps;
    private readonly double _maxMinutes;
    private readonly double _epochsPerStep;
    private readonly Stopwatch _clock = new();
    private readonly RunLock _lock;
    private TrainingPosition _position;
    private bool _stopped;

    /// <summary>Puts the checkpoint, where there is one, into what it tracks.</summary>
    /// <param name="name">Of the log: NAME.metrics.jsonl.</param>
    /// <param name="config">Rates, sizes and the output folder.</param>
    /// <param name="examples">Examples of one pass over the data.</param>
    /// <param name="checkpoint">Tracks all that the steps and evaluations change.</param>
    /// <param name="maxMinutes">Stop after this time, with the schedule run to its end; 0: never.</param>
    /// <exception cref="ConfigurationException">There is no step to take, or the checkpoint is of another configuration.</exception>
    /// <exception cref="BadDataException">Another training works in the output folder, or no checkpoint of a stopped one is whole.</exception>
    public TrainingLoop(string name, TrainingConfig config, long examples, TrainingCheckpoint checkpoint, double maxMinutes = 0)
    {
        (_config, _checkpoint, _maxMinutes) = (config, checkpoint, maxMinutes);
        _steps = PlannedSteps(config.Epochs, examples, config.BatchSize, config.MaxSteps);
        _epochsPerStep = config.BatchSize / (double)examples;
        _lock = Lock(config.Output);
        try
        {
            TrainingPosition? found = checkpoint.Read();
            _position = found ?? new TrainingPosition(0, double.NaN, 0, 0, 0);
            if (found is not null) Console.WriteLine($"going on after step {found.Done:N0} of {_steps:N0}");
            Log = new TrainingLog(config.Output, name, _steps, found?.Done);
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Keeps a second training out of an output folder; nothing stays of it.</summary>
    /// <exception cref="BadDataException">Another process has it.</exception>
    internal static RunLock Lock(string output) => new(output, "training.lock");

    /// <summary>For rows before and after the loop.</summary>
    public TrainingLog Log { get; }

    /// <summary>True: a stopped training goes on.</summary>
    public bool GoesOn => _position.Done > 0;

    /// <summary>Optimiser steps of a configuration.</summary>
    /// <param name="epochs">Passes over the data.</param>
    /// <param name="examples">Examples of one pass.</param>
    /// <param name="batchSize">Examples of a step.</param>
    /// <param name="maxSteps">Most steps; 0: as many as the epochs make.</param>
    /// <exception cref="ConfigurationException">That is no step at all.</exception>
    public static long PlannedSteps(double epochs, long examples, int batchSize, int maxSteps)
    {
        long steps = Share.Ceiling(epochs * examples / batchSize);
        if (maxSteps > 0) steps = Math.Min(steps, maxSteps);
        return steps > 0 ? steps : throw new ConfigurationException($"epochs is {epochs.ToString(CultureInfo.InvariantCulture)}: that is no step at all. Give a positive number.");
    }

    /// <summary>Ends the training after the evaluation that calls this (early stopping).</summary>
    public void Stop() => _stopped = true;

    /// <summary>Runs to the end.</summary>
    /// <param name="step">Takes a step: (step from 0, share of training done from 0 to 1).</param>
    /// <param name="evaluate">Evaluates (and saves) after a step; what it returns is logged by the names of the metric catalogue.</param>
    /// <param name="cancellation">Honoured between steps.</param>
    /// <exception cref="InterruptedException">Cancelled; what was done is kept.</exception>
    public void Run(Func<long, double, TrainingStep> step, Func<(string Name, double Value)[]> evaluate, CancellationToken cancellation)
    {
        double before = _position.Minutes, written = before;
        _clock.Start();
        while (_position.Done < _steps)
        {
            double minutes = before + _clock.Elapsed.TotalMinutes;
            if (cancellation.IsCancellationRequested) throw Interrupted(minutes);
            if (_checkpoint.MinutesBetween > 0 && minutes - written >= _checkpoint.MinutesBetween)
            {
                _checkpoint.Write(_position with { Minutes = minutes });
                written = minutes;
            }

            bool outOfTime = _maxMinutes > 0 && minutes >= _maxMinutes;
            double progress = Math.Max(_position.Done / (double)_steps, _maxMinutes > 0 ? minutes / _maxMinutes : 0);
            TrainingStep taken = Take(step, progress);
            bool last = _position.Done == _steps || outOfTime;
            if (last || _position.Done % _config.EvaluateEvery == 0) Evaluate(evaluate, taken, progress, minutes, last);
            if (outOfTime || _stopped) return;
        }
    }

    /// <summary>Called when all that comes after the steps is saved too: the checkpoint is no longer needed.</summary>
    public void Complete() => _checkpoint.Remove();

    private TrainingStep Take(Func<long, double, TrainingStep> step, double progress)
    {
        long started = Stopwatch.GetTimestamp();
        TrainingStep taken = step(_position.Done, progress);
        _position = _position with
        {
            Done = _position.Done + 1,
            Loss = double.IsNaN(_position.Loss) ? taken.Loss : (Smoothing * _position.Loss) + ((1 - Smoothing) * taken.Loss),
            Tokens = _position.Tokens + taken.Tokens,
            StepSeconds = _position.StepSeconds + Stopwatch.GetElapsedTime(started).TotalSeconds,
        };
        Log.Advance(_position.Loss);
        return taken;
    }

    private void Evaluate(Func<(string Name, double Value)[]> evaluate, TrainingStep taken, double progress, double minutes, bool last)
    {
        double left = _maxMinutes > 0 ? _maxMinutes - minutes : minutes / _position.Done * (_steps - _position.Done);
        var row = new List<(string, double)> { ("loss", _position.Loss) };
        row.AddRange(evaluate());
        row.AddRange([("learning_rate", LearningRate.At(_config.Optimizer, _position.Done - 1, progress)), ("grad_norm", taken.GradientNorm), ("epoch", _position.Done * _epochsPerStep)]);
        if (_position.Tokens > 0) row.AddRange([("tokens/trained", _position.Tokens), ("time/optimization_tokens_per_second", _position.Tokens / _position.StepSeconds)]);
        Log.Row(
            string.Create(CultureInfo.InvariantCulture, $"step {_position.Done}"), last ? "" : string.Create(CultureInfo.InvariantCulture, $"{left:F1} minutes left"), [.. row]);
    }

    private InterruptedException Interrupted(double minutes)
    {
        if (_position.Done == 0) return new InterruptedException("Interrupted before the first step; nothing was written.");
        _checkpoint.Write(_position with { Minutes = minutes });
        return new InterruptedException($"Stopped after step {_position.Done:N0} of {_steps:N0}, which is kept in {_checkpoint.Folder}. The same command goes on from there.");
    }

    public void Dispose()
    {
        Log.Dispose();
        _lock.Dispose();
    }
}

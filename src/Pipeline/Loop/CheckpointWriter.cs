using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>Writes one checkpoint at a time on a thread of its own, so that the next iteration need not wait for the disk.</summary>
public sealed class CheckpointWriter : IDisposable
{
    private Task _pending = Task.CompletedTask;

    /// <summary>Wall-clock seconds that the last finished write took.</summary>
    public double Seconds { get; private set; }

    /// <summary>Processor seconds of it: what the work beside it may have lacked.</summary>
    public double ProcessorSeconds { get; private set; }

    /// <summary>Begins a write after the one before has ended.</summary>
    /// <exception cref="RlhfException">The write before failed.</exception>
    public void Start(Action write)
    {
        Wait();
        _pending = Task.Factory.StartNew(
            () =>
            {
                long started = Stopwatch.GetTimestamp();
                double worked = ThreadTime.ProcessorSeconds;
                write();
                (Seconds, ProcessorSeconds) = (Stopwatch.GetElapsedTime(started).TotalSeconds, ThreadTime.ProcessorSeconds - worked);
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Returns when nothing is being written.</summary>
    /// <exception cref="RlhfException">The write failed; what was whole before it still is. Told once.</exception>
    public void Wait()
    {
        Task pending = _pending;
        _pending = Task.CompletedTask;
        pending.GetAwaiter().GetResult();
    }

    /// <summary>Waits; a failure is only told, since an error that ends the run may be on its way up already.</summary>
    public void Dispose()
    {
        try
        {
            Wait();
        }
        catch (Exception error) when (error is RlhfException || FileErrors.IsFileError(error))
        {
            Log.Error($"the last checkpoint was not written: {error.Message}");
        }
    }
}

using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>The checkpoints of a run: copied between two iterations, written beside the next one.</summary>
internal sealed class RunCheckpoints(RunConfig config, RunDirectory run) : IDisposable
{
    private readonly CheckpointWriter _writer = new();
    private readonly PolicySnapshot _snapshot = new();

    /// <summary>Wall-clock seconds that the last finished write took.</summary>
    public double WriteSeconds => _writer.Seconds;

    /// <summary>Processor seconds of it.</summary>
    public double WriteProcessorSeconds => _writer.ProcessorSeconds;

    /// <summary>Copies what the iteration's checkpoint will hold, once the one before is written.</summary>
    public void Take(PolicySession session)
    {
        _writer.Wait();
        session.TakeSnapshot(_snapshot);
    }

    /// <summary>Called when the metrics are on disk: seals the iteration, writes its checkpoint, removes what is no longer needed to go on.</summary>
    /// <param name="iteration">From 1.</param>
    /// <param name="rows">Metrics of all iterations up to it.</param>
    public void Write(int iteration, MetricRow[] rows)
    {
        _writer.Start(() =>
        {
            FolderSeal.Write(run.Iteration(iteration).Folder);
            _snapshot.Write(run.Checkpoint(iteration), whole => CheckpointMetrics.Write(whole, rows));
            RunPlace.Tell(iteration, RunPlace.CleanUp);
            WholeFolder.Remove(run.Unfinished(iteration));
            Retention.Prune(run, config, rows, iteration);
        });
        if (!config.BackgroundCheckpoints) _writer.Wait();
    }

    /// <inheritdoc cref="CheckpointWriter.Wait"/>
    public void Wait() => _writer.Wait();

    /// <inheritdoc cref="CheckpointWriter.Dispose"/>
    public void Dispose() => _writer.Dispose();
}

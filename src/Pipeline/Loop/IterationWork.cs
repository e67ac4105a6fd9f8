using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>The work of one iteration: draw and score, train, export, train the reward model, copy for the checkpoint. What an interrupted process finished of it is taken up.</summary>
internal sealed class IterationWork(RunConfig config, RunDirectory run, RunStages stages, RunPlace place, StepsBack stepsBack, RunCheckpoints checkpoints)
{
    private readonly PolicySnapshot _withinSnapshot = new();
    private IterationKeeper? _keeper;

    /// <summary>How far the iteration's training was when it was interrupted and checkpointed; null: it was not.</summary>
    public DescentPosition? Kept => _keeper?.Kept;

    /// <param name="i">From 1.</param>
    /// <param name="before">Metrics of the iterations before.</param>
    /// <param name="progress">Advances with the minibatches.</param>
    /// <param name="stepsEach">As many as progress counts for an iteration.</param>
    /// <param name="cancellation">Honoured between tokens, batches and minibatches.</param>
    /// <returns>Metrics by the names of the catalogue.</returns>
    public Dictionary<string, double> Do(int i, IReadOnlyList<MetricRow> before, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        IterationPaths paths = run.Iteration(i);
        var unfinished = UnfinishedWork.Open(run.Unfinished(i), paths.Folder);
        CollectedRollouts drawn = stages.Collector.Collect(i, paths, stages.PolicyAfter(i - 1), unfinished, cancellation);
        long afterScoring = Stopwatch.GetTimestamp();
        PolicyMetrics trained = Train(i, drawn, paths.Trajectories, unfinished, progress, stepsEach, cancellation);
        long afterOptimization = Stopwatch.GetTimestamp();
        place.Enter(i, RunPlace.Export, "while its policy was exported");
        ExportedPolicy exported = stages.Export(paths.Policy);

        Dictionary<string, double> row = trained.ToDictionary();
        foreach ((string name, double value) in RolloutStatistics.Of(drawn.Rows).Concat(exported.ToDictionary())) row[name] = value;
        if (stages.RewardTraining is not null)
        {
            place.Enter(i, RunPlace.RewardTraining, "while its reward model was trained");
            foreach ((string name, double value) in TrainReward(stages.RewardTraining, i, drawn.Rows, paths, cancellation)) row[name] = value;
        }

        IterationRow.AddStages(row, config, before, drawn, Seconds(afterScoring, afterOptimization));
        long checkpoint = Stopwatch.GetTimestamp();
        place.Enter(i, RunPlace.Checkpoint, "while its checkpoint was taken");
        checkpoints.Take(stages.Session);
        long end = Stopwatch.GetTimestamp();
        IterationRow.AddEnd(row, Seconds(checkpoint, end), checkpoints.WriteSeconds, checkpoints.WriteProcessorSeconds, Seconds(started, end));
        _keeper = null;
        return row;
    }

    private PolicyMetrics Train(
        int i, CollectedRollouts drawn, string trajectories, UnfinishedWork unfinished, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        place.Enter(i, RunPlace.Optimization, "before its first minibatch");
        var keeper = new IterationKeeper(unfinished.Checkpoint, i, drawn.Hash, TimeSpan.FromMinutes(config.CheckpointMinutes), _withinSnapshot) { StepsBack = stepsBack.Times };
        _keeper = keeper;
        long stepsDone = 0;
        try
        {
            PolicyMetrics trained = stages.Session.Iterate(drawn.ScoredFiles, drawn.Rows, trajectories, (done, planned) =>
            {
                progress.Advance(done - stepsDone, $"iteration {i}/{config.Iterations}");
                stepsDone = done;
                RunPlace.Tell(i, $"minibatch {done} of {planned}");
            }, cancellation, drawn.Others, keeper);
            progress.Advance(stepsEach - stepsDone);
            stepsBack.Times = keeper.StepsBack;
            return trained;
        }
        catch (NumericalException)
        {
            // A process that was interrupted may have stepped back already.
            (stepsBack.Times, _keeper) = (keeper.StepsBack, null);
            throw;
        }
    }

    // Interrupted, it begins again in the next process; the policy's minibatches before it do not.
    private Dictionary<string, double> TrainReward(RewardTraining training, int i, IReadOnlyList<ScoredRollout> rows, IterationPaths paths, CancellationToken cancellation)
    {
        try
        {
            return training.After(i, rows, paths, stages.Scoring, cancellation);
        }
        catch (OperationCanceledException) when (_keeper is not null)
        {
            stages.Session.KeepTrained(_keeper);
            throw;
        }
    }

    private static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;
}

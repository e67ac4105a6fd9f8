using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>
/// The loop: generate → score → optimize → export, once an iteration, in one process with warm engines. The stages meet only in files, and
/// every file is a pure function of the configuration, so a run that was killed goes on from its last checkpoint with the same bytes.
/// </summary>
public sealed class RunLoop : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunDirectory _run;
    private readonly RunModels _models;
    private readonly GenerationStage _generation;
    private readonly ScoringStage _scoring;
    private readonly RolloutCollector _collector;
    private readonly HealthCheck _health;
    private readonly RewardTraining? _rewardTraining;
    private readonly CheckpointWriter _checkpoints = new();
    private readonly PolicySnapshot _snapshot = new();
    private readonly PolicySnapshot _withinSnapshot = new();
    private readonly RunPlace _place = new();
    private readonly IReadOnlyList<OutsideReward> _outside;
    private readonly List<MetricRow> _rows = [];
    private readonly RunWarnings _warnings;
    private readonly StepsBack _stepsBack;
    private readonly WeightHandOver _handOver;
    private readonly RunEvaluations _evaluations;
    private PolicySession _session;
    private IterationKeeper? _keeper;

    private RunLoop(RunConfig config, RunDirectory run, ResumePoint from, RunWarnings warnings, IReadOnlyList<OutsideReward>? outside)
    {
        int finished = from.Iteration;
        (_config, _run, Finished, _warnings, _outside) = (config, run, finished, warnings, outside ?? []);
        try
        {
            Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
            _health = new HealthCheck(config);
            _rows.AddRange(from.Rows);
            foreach (string warning in _health.Remember(_rows)) warnings.Add(warning);
            _stepsBack = new StepsBack(config, run);
            _models = RunModels.Prepare(config, run);
            _session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
            if (finished > 0) RestorePolicy();
            _rewardTraining = RewardTraining.Open(config, run, _models, _rows, finished, mayRepair: true);
            _scoring = new ScoringStage(_rewardTraining?.Rewards ?? _models.Rewards, _models.Reference, config.Threads, _outside);
            _generation = GenerationStage.Open(CurrentPolicy, config.Generation.Engine, config.Threads);
            _handOver = new WeightHandOver(_generation.Engine, config.Device);
            _evaluations = new RunEvaluations(config, run, _generation, _scoring, _rewardTraining);
            _collector = new RolloutCollector(config, _generation, _scoring, new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed), _models.Reference, _place);
        }
        catch
        {
            Dispose(); // of what was opened before the part that failed
            throw;
        }
    }

    /// <summary>Iterations done.</summary>
    public int Finished { get; private set; }

    private string CurrentPolicy => Finished == 0 ? _models.Policy : _run.Iteration(Finished).Policy;

    /// <summary>Begins a run.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="run">New, open for writing.</param>
    /// <param name="outside">Rewards from outside.</param>
    public static RunLoop Begin(RunConfig config, RunDirectory run, IReadOnlyList<OutsideReward>? outside = null) =>
        new(config, run, new ResumePoint(0, [], false), new RunWarnings(run), outside);

    /// <summary>
    /// Goes on after the newest whole checkpoint, with what an interrupted process had finished of the next iteration; what else lies beyond is removed and made again.
    /// </summary>
    /// <param name="config">As stored, or with values that are safe to change.</param>
    /// <param name="run">Open for writing.</param>
    /// <param name="restart">Begin again where every checkpoint is damaged.</param>
    /// <param name="outside">Rewards from outside.</param>
    /// <exception cref="BadDataException">The inputs changed, or no whole checkpoint is left.</exception>
    public static RunLoop Resume(RunConfig config, RunDirectory run, bool restart = false, IReadOnlyList<OutsideReward>? outside = null)
    {
        ResumePoint.CheckInputs(config, run.ReadManifest(), outside);
        var warnings = new RunWarnings(run); // what is found damaged belongs to the report too
        try
        {
            ResumePoint from = ResumePoint.Find(run, config, restart);
            run.RecordChanges(from.Iteration, config);
            from.RestoreMetrics(run);
            ResumePoint.RemoveAfter(run, from.Iteration);
            if (from.Iteration < config.Iterations) WholeFolder.Remove(RunEvaluations.Folder(run, "after"));
            // A run that was killed while it removed old checkpoints.
            Retention.Prune(run, config, from.Rows, from.Iteration);
            return new RunLoop(config, run, from, warnings, outside);
        }
        catch
        {
            warnings.Dispose();
            throw;
        }
    }

    /// <summary>Runs what is left and writes the report.</summary>
    /// <exception cref="InterruptedException">Stopped by the token at a safe point; the message says how to go on.</exception>
    public RunOutcome Run(CancellationToken cancellation)
    {
        try
        {
            return RunAll(cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            _checkpoints.Wait();
            string where = _keeper?.Kept is { } kept ? $"in iteration {Finished + 1}, {kept}, checkpointed" : _place.Text;
            throw new InterruptedException($"Stopped {where}; {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}");
        }
        catch (EngineException error)
        {
            throw new EngineException($"{error.Message} {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}", error);
        }
        catch (BadDataException error)
        {
            throw new BadDataException($"{error.Message} {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}", error);
        }
    }

    /// <summary>Counts checkpoints, not iterations: the last one may be the very file that could not be written.</summary>
    private string WaitAndTellWhatIsSafe()
    {
        _checkpoints.Dispose(); // waits, and tells a failure
        return $"{Math.Min(Finished, _run.FinishedCheckpoints().DefaultIfEmpty(0).Max())} of {_config.Iterations} iterations are safe.";
    }

    private string ResumeCommand => OutsideRewards.ResumeCommand(_run.Root, _outside.Select(o => o.Argument));

    private RunOutcome RunAll(CancellationToken cancellation)
    {
        _place.Text = "in the evaluation before the first iteration";
        Evaluation? before = _evaluations.Judge("before", _models.Policy, CurrentPolicy, goesOn: Finished < _config.Iterations, cancellation);
        using var metrics = new MetricsWriter(_run.MetricsPath, keepThrough: Finished);
        using var board = new TensorBoardWriter(_run.TensorBoardFolder);
        var table = new IterationTable(IterationTable.Default);
        long stepsEach = PolicySession.PlannedSteps(_config, _config.Generation.PromptsPerIteration * _config.Generation.SamplesPerPrompt);
        using (var progress = new ProgressReport("training", (_config.Iterations - Finished) * stepsEach, "steps"))
        {
            while (Finished < _config.Iterations)
            {
                int i = Finished + 1;
                _place.Text = $"before iteration {i}";
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    Dictionary<string, double> row = Iterate(i, progress, stepsEach, cancellation);
                    metrics.Write(i, row);
                    board.Write(i, row);
                    Finish(i, row);
                    table.Print(i, row);
                    _stepsBack.Times = 0;
                }
                catch (NumericalException error) when (_stepsBack.AreLeft)
                {
                    StepBack(i, error);
                }
                catch (NumericalException error)
                {
                    _checkpoints.Wait();
                    throw new NumericalException($"Iteration {i} failed: {error.Message} {Finished} of {_config.Iterations} iterations are safe in {_run.Root}.", error);
                }
            }
        }

        _checkpoints.Wait();
        RunPlace.Tell(Finished, RunPlace.End);
        _place.Text = "before the final evaluation was done";
        SaveFinal();
        Evaluation? after = _evaluations.Judge("after", _run.FinalPolicyFolder, CurrentPolicy, goesOn: false, cancellation);
        if (after is not null) _evaluations.JudgeWithLastReward(cancellation);
        WholeFolder.Remove(_run.UnfinishedFolder);
        var outcome = new RunOutcome(_config, _run, before, after, _warnings.Texts);
        outcome.WriteReport();
        return outcome;
    }

    private Dictionary<string, double> Iterate(int i, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        IterationPaths paths = _run.Iteration(i);
        var work = UnfinishedWork.Open(_run.Unfinished(i), paths.Folder);
        CollectedRollouts drawn = _collector.Collect(i, paths, CurrentPolicy, work, cancellation);
        long afterScoring = Stopwatch.GetTimestamp();
        IReadOnlyList<ScoredRollout> rows = drawn.Rows;
        PolicyMetrics trained = Train(i, drawn, paths.Trajectories, work, progress, stepsEach, cancellation);
        long afterOptimization = Stopwatch.GetTimestamp();
        _place.Enter(i, RunPlace.Export, "while its policy was exported");
        ExportedPolicy exported = _session.ExportPolicy(paths.Policy);
        _handOver.Give(_session.Policy, PolicyFolder.Open(paths.Policy));

        Dictionary<string, double> row = trained.ToDictionary();
        foreach ((string name, double value) in RolloutStatistics.Of(rows).Concat(exported.ToDictionary())) row[name] = value;
        if (_rewardTraining is not null)
        {
            _place.Enter(i, RunPlace.RewardTraining, "while its reward model was trained");
            foreach ((string name, double value) in TrainReward(_rewardTraining, i, rows, paths, cancellation)) row[name] = value;
        }

        IterationRow.AddStages(row, _config, _rows, drawn, Seconds(afterScoring, afterOptimization));
        long checkpoint = Stopwatch.GetTimestamp();
        _place.Enter(i, RunPlace.Checkpoint, "while its checkpoint was taken");
        _checkpoints.Wait();
        _session.TakeSnapshot(_snapshot);
        long end = Stopwatch.GetTimestamp();
        IterationRow.AddEnd(row, Seconds(checkpoint, end), _checkpoints.Seconds, Seconds(started, end));
        foreach (string warning in _health.Look(i, row)) Log.Warning(warning);
        return row;
    }

    private PolicyMetrics Train(
        int i, CollectedRollouts drawn, string trajectories, UnfinishedWork work, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        _place.Enter(i, RunPlace.Optimization, "before its first minibatch");
        var keeper = new IterationKeeper(work.Checkpoint, i, drawn.Hash, TimeSpan.FromMinutes(_config.CheckpointMinutes), _withinSnapshot) { StepsBack = _stepsBack.Times };
        _keeper = keeper;
        long stepsDone = 0;
        try
        {
            PolicyMetrics trained = _session.Iterate(drawn.ScoredFiles, drawn.Rows, trajectories, (done, planned) =>
            {
                progress.Advance(done - stepsDone, $"iteration {i}/{_config.Iterations}");
                stepsDone = done;
                RunPlace.Tell(i, $"minibatch {done} of {planned}");
            }, cancellation, drawn.Others, keeper);
            progress.Advance(stepsEach - stepsDone);
            _stepsBack.Times = keeper.StepsBack;
            return trained;
        }
        catch (NumericalException)
        {
            // A process that was interrupted may have stepped back already.
            (_stepsBack.Times, _keeper) = (keeper.StepsBack, null);
            throw;
        }
    }

    // Interrupted, it begins again in the next process; the policy's minibatches before it do not.
    private Dictionary<string, double> TrainReward(RewardTraining training, int i, IReadOnlyList<ScoredRollout> rows, IterationPaths paths, CancellationToken cancellation)
    {
        try
        {
            return training.After(i, rows, paths, _scoring, cancellation);
        }
        catch (OperationCanceledException) when (_keeper is not null)
        {
            _session.KeepTrained(_keeper);
            throw;
        }
    }

    /// <summary>Called when the metrics are on disk: seals the iteration, writes its checkpoint, removes what is no longer needed to go on.</summary>
    private void Finish(int i, Dictionary<string, double> row)
    {
        (Finished, _keeper) = (i, null);
        _rows.Add(new MetricRow(i, row));
        MetricRow[] rows = [.. _rows];
        _checkpoints.Start(() =>
        {
            FolderSeal.Write(_run.Iteration(i).Folder);
            _snapshot.Write(_run.Checkpoint(i), whole => CheckpointMetrics.Write(whole, rows));
            RunPlace.Tell(i, RunPlace.CleanUp);
            WholeFolder.Remove(_run.Unfinished(i));
            Retention.Prune(_run, _config, rows, i);
        });
        if (!_config.BackgroundCheckpoints) _checkpoints.Wait();
    }

    private void StepBack(int i, NumericalException error)
    {
        _checkpoints.Wait();
        _session.Dispose();
        _session = _stepsBack.Take(i, Finished, error);
        _generation.Engine.Reopen(PolicyFolder.Open(CurrentPolicy));
        _rewardTraining?.ReturnTo(_rows, Finished, _scoring);
    }

    /// <summary>The last policy folder was removed or damaged, but the checkpoint has its weights: it is exported again, to the same bytes.</summary>
    private void RestorePolicy()
    {
        string policy = _run.Iteration(Finished).Policy;
        IReadOnlyList<string> problems = FolderSeal.Problems(policy);
        if (problems.Count == 0) return;
        Log.Warning($"the policy of iteration {Finished} is damaged ({problems[0].TrimEnd('.')}); it is exported again from the checkpoint.");
        _session.ExportPolicy(policy);
    }

    private void SaveFinal()
    {
        _session.ExportPolicy(_run.FinalPolicyFolder);
        _session.Policy.Save(_run.FinalWeightsFolder, tokenizerFrom: _config.Policy);
        FolderSeal.Write(_run.FinalWeightsFolder);
    }

    private static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;

    // A constructor that failed leaves later parts null.
    public void Dispose()
    {
        _warnings.Dispose();
        _checkpoints.Dispose();
        _handOver?.Dispose();
        _generation?.Dispose();
        _scoring?.Dispose();
        _rewardTraining?.Dispose();
        _session?.Dispose();
    }
}

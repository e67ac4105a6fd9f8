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
    private readonly List<string> _warnings = [];
    private PolicySession _session;
    private WeightHandOver? _handOver;
    private IterationKeeper? _keeper;
    private int _stepsBack;
    private long _tokensTotal;

    private RunLoop(RunConfig config, RunDirectory run, ResumePoint from, IReadOnlyList<OutsideReward>? outside)
    {
        int finished = from.Iteration;
        (_config, _run, Finished, _outside) = (config, run, finished, outside ?? []);
        Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
        _health = new HealthCheck(config);
        _rows.AddRange(from.Rows);
        if (_rows.Count > 0) _tokensTotal = (long)_rows[^1].Values.GetValueOrDefault("tokens/total");
        _health.Remember(_rows);
        _models = RunModels.Prepare(config, run);
        _session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
        if (finished > 0) RestorePolicy();
        _rewardTraining = RewardTraining.Open(config, run, _models, _rows, finished, mayRepair: true);
        _scoring = new ScoringStage(_rewardTraining?.Rewards ?? _models.Rewards, _models.Reference, config.Threads, _outside);
        _generation = GenerationStage.Open(CurrentPolicy, config.Generation.Engine, config.Threads);
        _collector = new RolloutCollector(config, _generation, _scoring, new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed), _models.Reference, _place);
        Log.WarningTold += _warnings.Add;
    }

    /// <summary>Iterations done.</summary>
    public int Finished { get; private set; }

    private string CurrentPolicy => Finished == 0 ? _models.Policy : _run.Iteration(Finished).Policy;

    /// <summary>Begins a run.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="run">New, open for writing.</param>
    /// <param name="outside">Rewards from outside.</param>
    public static RunLoop Begin(RunConfig config, RunDirectory run, IReadOnlyList<OutsideReward>? outside = null) => new(config, run, new ResumePoint(0, [], false), outside);

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
        ResumePoint from = ResumePoint.Find(run, config, restart);
        from.RestoreMetrics(run);
        ResumePoint.RemoveAfter(run, from.Iteration);
        if (from.Iteration < config.Iterations) WholeFolder.Remove(EvaluationFolder(run, "after"));
        var loop = new RunLoop(config, run, from, outside);
        // A run that was killed while it removed old checkpoints.
        Retention.Prune(run, config, loop._rows, from.Iteration);
        return loop;
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
            throw new InterruptedException($"Stopped {where}; {Safe} Go on with: {ResumeCommand}");
        }
        catch (EngineException error)
        {
            throw new EngineException($"{error.Message} {Safe} Go on with: {ResumeCommand}", error);
        }
        catch (BadDataException error)
        {
            throw new BadDataException($"{error.Message} {Safe} Go on with: {ResumeCommand}", error);
        }
    }

    /// <summary>Counts checkpoints, not iterations: the last one may be the very file that could not be written.</summary>
    private string Safe
    {
        get
        {
            _checkpoints.Dispose(); // waits, and tells a failure
            return $"{Math.Min(Finished, _run.FinishedCheckpoints().DefaultIfEmpty(0).Max())} of {_config.Iterations} iterations are safe.";
        }
    }

    private string ResumeCommand => OutsideRewards.ResumeCommand(_run.Root, _outside.Select(o => o.Argument));

    private RunOutcome RunAll(CancellationToken cancellation)
    {
        _place.Text = "in the evaluation before the first iteration";
        Evaluation? before = Judge("before", _models.Policy, cancellation);
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
                    _stepsBack = 0;
                }
                catch (NumericalException error) when (_stepsBack < _config.Recovery.StepsBack)
                {
                    StepBack(i, ++_stepsBack, error);
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
        Evaluation? after = Judge("after", _run.FinalPolicyFolder, cancellation);
        if (after is not null) _rewardTraining?.JudgeWithLast(_scoring, cancellation);
        WholeFolder.Remove(_run.UnfinishedFolder);
        var outcome = new RunOutcome(_config, _run, before, after, _warnings);
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
        GiveToEngine(PolicyFolder.Open(paths.Policy));

        Dictionary<string, double> row = trained.ToDictionary();
        foreach ((string name, double value) in RolloutStatistics.Of(rows).Concat(exported.ToDictionary())) row[name] = value;
        if (_rewardTraining is not null)
        {
            _place.Enter(i, RunPlace.RewardTraining, "while its reward model was trained");
            foreach ((string name, double value) in TrainReward(_rewardTraining, i, rows, paths, cancellation)) row[name] = value;
        }

        _tokensTotal += drawn.Tokens;
        row["tokens/total"] = _tokensTotal;
        double optimization = Seconds(afterScoring, afterOptimization), generation = drawn.GenerationSeconds;
        row["time/generation_seconds"] = generation;
        row["time/scoring_seconds"] = drawn.ScoringSeconds;
        row["time/optimization_seconds"] = optimization;
        row["time/generation_tokens_per_second"] = drawn.Tokens / generation;
        row["time/optimization_tokens_per_second"] = rows.Sum(r => (long)r.Rollout.PromptTokens.Length + r.Rollout.ResponseTokens.Length) * _config.Method.Epochs / optimization;
        long checkpoint = Stopwatch.GetTimestamp();
        _place.Enter(i, RunPlace.Checkpoint, "while its checkpoint was taken");
        _checkpoints.Wait();
        _session.TakeSnapshot(_snapshot);
        row["time/checkpoint_seconds"] = Seconds(checkpoint, Stopwatch.GetTimestamp());
        row["time/checkpoint_write_seconds"] = _checkpoints.Seconds;
        row["time/iteration_seconds"] = Seconds(started, Stopwatch.GetTimestamp());
        row["time/checkpoint_share"] = row["time/checkpoint_seconds"] / row["time/iteration_seconds"];
        using var process = Process.GetCurrentProcess();
        (row["time/memory_bytes"], row["time/peak_memory_bytes"]) = (process.WorkingSet64, process.PeakWorkingSet64);
        foreach (string warning in _health.Look(i, row)) Log.Warning(warning);
        return row;
    }

    private PolicyMetrics Train(
        int i, CollectedRollouts drawn, string trajectories, UnfinishedWork work, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        _place.Enter(i, RunPlace.Optimization, "before its first minibatch");
        var keeper = new IterationKeeper(work.Checkpoint, i, drawn.Hash, TimeSpan.FromMinutes(_config.CheckpointMinutes), _withinSnapshot) { StepsBack = _stepsBack };
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
            _stepsBack = keeper.StepsBack;
            return trained;
        }
        catch (NumericalException)
        {
            // A process that was interrupted may have stepped back already.
            (_stepsBack, _keeper) = (keeper.StepsBack, null);
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

    /// <summary>The engine goes on with the trained weights: from the trainer's memory, or from the folder where it takes none. The hash is the folder's.</summary>
    private void GiveToEngine(PolicyFolder exported)
    {
        IRolloutEngine engine = _generation.Engine;
        if (!engine.TakesWeights || _config.Device != "cpu")
        {
            engine.Reopen(exported);
            return;
        }

        if (_handOver?.Policy != _session.Policy)
        {
            _handOver?.Dispose();
            _handOver = new WeightHandOver(_session.Policy);
        }

        engine.UpdateWeights(_handOver.Now(), Task.Run(exported.Hash));
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

    /// <summary>
    /// Back to the last checkpoint with a lower learning rate. Nothing about it is stored until the iteration succeeds: a run that is killed
    /// here fails, steps back and succeeds again in the same way.
    /// </summary>
    private void StepBack(int i, int times, NumericalException error)
    {
        double factor = Math.Pow(_config.Recovery.LearningRateFactor, times);
        Log.Warning($"iteration {i} failed: {error.Message} Stepping back to {(Finished == 0 ? "the start" : $"checkpoint {Finished}")} with {factor:G4} of its learning rate (attempt {times} of {_config.Recovery.StepsBack}).");
        _checkpoints.Wait();
        _session.Dispose();
        _session = PolicySession.Open(_config, Finished == 0 ? null : _run.Checkpoint(Finished));
        _session.ScaleLearningRate(factor);
        _generation.Engine.Reopen(PolicyFolder.Open(CurrentPolicy));
        WholeFolder.Remove(UnfinishedWork.Open(_run.Unfinished(i), "").Checkpoint);
        _rewardTraining?.ReturnTo(_rows, Finished, _scoring);
        ResumePoint.RemoveAfter(_run, Finished);
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

    private static string EvaluationFolder(RunDirectory run, string name) => Path.Combine(run.Root, "evaluation", name);

    private Evaluation? Judge(string name, string policy, CancellationToken cancellation)
    {
        if (_config.Evaluation.Prompts.Length == 0) return null;
        string folder = EvaluationFolder(_run, name), file = Path.Combine(folder, "scored.parquet");
        var work = UnfinishedWork.Open(Path.Combine(_run.UnfinishedFolder, $"evaluation-{name}"), folder);
        Evaluation evaluation;
        if (File.Exists(file) && FolderSeal.Problems(folder).Count == 0)
        {
            evaluation = Evaluation.Of([.. ScoredFile.Read(file)]);
        }
        else
        {
            bool isOpen = policy == CurrentPolicy;
            if (!isOpen) _generation.Engine.Reopen(PolicyFolder.Open(policy));
            using IDisposable? first = _rewardTraining?.JudgeWithFirst(_scoring);
            evaluation = Evaluation.Run(_config, _generation, _scoring, folder, work, cancellation);
            FolderSeal.Write(folder);
            if (!isOpen && Finished < _config.Iterations) _generation.Engine.Reopen(PolicyFolder.Open(CurrentPolicy));
        }

        work.Remove();
        return evaluation;
    }

    private static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;

    public void Dispose()
    {
        Log.WarningTold -= _warnings.Add;
        _checkpoints.Dispose();
        _handOver?.Dispose();
        _generation.Dispose();
        _scoring.Dispose();
        _rewardTraining?.Dispose();
        _session.Dispose();
    }
}

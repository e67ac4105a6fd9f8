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
    private readonly CheckpointWriter _checkpoints = new();
    private readonly PolicySnapshot _snapshot = new();
    private readonly List<MetricRow> _rows = [];
    private readonly List<string> _warnings = [];
    private PolicySession _session;
    private WeightHandOver? _handOver;
    private long _tokensTotal;

    private RunLoop(RunConfig config, RunDirectory run, int finished)
    {
        (_config, _run, Finished) = (config, run, finished);
        Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
        _health = new HealthCheck(config);
        if (finished > 0) _rows.AddRange(MetricsFile.ReadUndamaged(run.MetricsPath, out _).Where(r => r.Iteration <= finished));
        if (_rows.Count > 0) _tokensTotal = (long)_rows[^1].Values.GetValueOrDefault("tokens/total");
        _health.Remember(_rows);
        _models = RunModels.Prepare(config, run);
        _session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
        if (finished > 0) RestorePolicy();
        _scoring = new ScoringStage(_models.Rewards, _models.Reference, config.Threads);
        _generation = GenerationStage.Open(CurrentPolicy, config.Generation.Engine, config.Threads);
        _collector = new RolloutCollector(config, _generation, _scoring, new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed), _models.Reference);
        Log.WarningTold += _warnings.Add;
    }

    /// <summary>Iterations done.</summary>
    public int Finished { get; private set; }

    private string CurrentPolicy => Finished == 0 ? _models.Policy : _run.Iteration(Finished).Policy;

    /// <summary>Begins a run.</summary>
    public static RunLoop Begin(RunConfig config, RunDirectory run) => new(config, run, 0);

    /// <summary>Goes on after the newest whole checkpoint; what lies beyond it is removed and made again.</summary>
    /// <param name="config">As stored, or with values that are safe to change.</param>
    /// <param name="run">Open for writing.</param>
    /// <param name="restart">Begin again where every checkpoint is damaged.</param>
    /// <exception cref="BadDataException">The inputs changed, or no whole checkpoint is left.</exception>
    public static RunLoop Resume(RunConfig config, RunDirectory run, bool restart = false)
    {
        ResumePoint.CheckInputs(config, run.ReadManifest());
        int finished = ResumePoint.Find(run, restart);
        ResumePoint.RemoveAfter(run, finished);
        var loop = new RunLoop(config, run, finished);
        // A run that was killed while it removed old checkpoints.
        Retention.Prune(run, config, loop._rows, finished);
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
            string where = Finished == _config.Iterations ? "before the final evaluation was done" : $"in iteration {Finished + 1}";
            throw new InterruptedException($"Stopped {where}; {Finished} of {_config.Iterations} iterations are safe. Go on with: ./rlhf resume {_run.Root}");
        }
    }

    private RunOutcome RunAll(CancellationToken cancellation)
    {
        Evaluation? before = Judge("before", _models.Policy, Finished == 0, cancellation);
        using var metrics = new MetricsWriter(_run.MetricsPath, keepThrough: Finished);
        using var board = new TensorBoardWriter(_run.TensorBoardFolder);
        var table = new IterationTable(IterationTable.Default);
        long stepsEach = PolicySession.PlannedSteps(_config, _config.Generation.PromptsPerIteration * _config.Generation.SamplesPerPrompt);
        using (var progress = new ProgressReport("training", (_config.Iterations - Finished) * stepsEach, "steps"))
        {
            int stepsBack = 0;
            while (Finished < _config.Iterations)
            {
                int i = Finished + 1;
                try
                {
                    Dictionary<string, double> row = Iterate(i, progress, stepsEach, cancellation);
                    metrics.Write(i, row);
                    board.Write(i, row);
                    Finish(i, row);
                    table.Print(i, row);
                    stepsBack = 0;
                }
                catch (NumericalException error) when (stepsBack < _config.Recovery.StepsBack)
                {
                    StepBack(i, ++stepsBack, error);
                }
                catch (NumericalException error)
                {
                    _checkpoints.Wait();
                    throw new NumericalException($"{error.Message} {Finished} of {_config.Iterations} iterations are safe in {_run.Root}.", error);
                }
            }
        }

        _checkpoints.Wait();
        SaveFinal();
        Evaluation? after = Judge("after", _run.FinalPolicyFolder, fresh: true, cancellation);
        var outcome = new RunOutcome(_config, _run, before, after, _warnings);
        outcome.WriteReport();
        return outcome;
    }

    private Dictionary<string, double> Iterate(int i, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        IterationPaths paths = _run.Iteration(i);
        CollectedRollouts drawn = _collector.Collect(i, paths, CurrentPolicy, cancellation);
        long afterScoring = Stopwatch.GetTimestamp();
        IReadOnlyList<ScoredRollout> rows = drawn.Rows;
        long stepsDone = 0;
        PolicyMetrics trained = _session.Iterate(drawn.ScoredFiles, rows, paths.Trajectories, (done, _) =>
        {
            progress.Advance(done - stepsDone, $"iteration {i}/{_config.Iterations}");
            stepsDone = done;
        }, cancellation, drawn.Others);
        progress.Advance(stepsEach - stepsDone);
        long afterOptimization = Stopwatch.GetTimestamp();
        ExportedPolicy exported = _session.ExportPolicy(paths.Policy);
        GiveToEngine(PolicyFolder.Open(paths.Policy));

        Dictionary<string, double> row = trained.ToDictionary();
        foreach ((string name, double value) in RolloutStatistics.Of(rows).Concat(exported.ToDictionary())) row[name] = value;
        _tokensTotal += drawn.Tokens;
        row["tokens/total"] = _tokensTotal;
        double optimization = Seconds(afterScoring, afterOptimization), generation = drawn.GenerationSeconds;
        row["time/generation_seconds"] = generation;
        row["time/scoring_seconds"] = drawn.ScoringSeconds;
        row["time/optimization_seconds"] = optimization;
        row["time/generation_tokens_per_second"] = drawn.Tokens / generation;
        row["time/optimization_tokens_per_second"] = rows.Sum(r => (long)r.Rollout.PromptTokens.Length + r.Rollout.ResponseTokens.Length) * _config.Method.Epochs / optimization;
        long checkpoint = Stopwatch.GetTimestamp();
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
        Finished = i;
        _rows.Add(new MetricRow(i, row));
        MetricRow[] rows = [.. _rows];
        _checkpoints.Start(() =>
        {
            FolderSeal.Write(_run.Iteration(i).Folder);
            _snapshot.Write(_run.Checkpoint(i));
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

    private Evaluation? Judge(string name, string policy, bool fresh, CancellationToken cancellation)
    {
        if (_config.Evaluation.Prompts.Length == 0) return null;
        string folder = Path.Combine(_run.Root, "evaluation", name), file = Path.Combine(folder, "scored.parquet");
        if (!fresh && File.Exists(file) && FolderSeal.Problems(folder).Count == 0) return Evaluation.Of([.. ScoredFile.Read(file)]);
        _generation.Engine.Reopen(PolicyFolder.Open(policy));
        Evaluation evaluation = Evaluation.Run(_config, _generation, _scoring, folder, cancellation);
        FolderSeal.Write(folder);
        _generation.Engine.Reopen(PolicyFolder.Open(CurrentPolicy));
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
        _session.Dispose();
    }
}

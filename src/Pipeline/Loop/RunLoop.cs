using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary>
/// The loop: generate → score → optimize → export, once an iteration, in one process with warm engines. The stages meet only in files, and
/// every file is a pure function of the configuration, so a run that was killed goes on from its last checkpoint with the same bytes.
/// </summary>
public sealed class RunLoop : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunDirectory _run;
    private readonly IReadOnlyList<OutsideReward> _outside;
    private readonly RunWarnings _warnings;
    private readonly MetricHistory _rows = new();
    private readonly RunPlace _place = new();
    private readonly HealthCheck _health;
    private readonly StepsBack _stepsBack;
    private readonly RunStages _stages;
    private readonly RunCheckpoints _checkpoints;
    private readonly IterationWork _work;

    private RunLoop(RunConfig config, RunDirectory run, ResumePoint from, RunWarnings warnings, IReadOnlyList<OutsideReward>? outside)
    {
        (_config, _run, Finished, _warnings, _outside) = (config, run, from.Iteration, warnings, outside ?? []);
        try
        {
            _health = new HealthCheck(config);
            foreach (MetricRow row in from.Rows) _rows.Add(row);
            foreach (string warning in _health.Remember(_rows)) warnings.Add(warning);
            _stages = new RunStages(config, run, Finished, _rows, _outside, _place);
        }
        catch
        {
            warnings.Dispose();
            throw;
        }

        _stepsBack = new StepsBack(config, run);
        _checkpoints = new RunCheckpoints(config, run);
        _work = new IterationWork(config, run, _stages, _place, _stepsBack, _checkpoints);
    }

    /// <summary>Iterations done.</summary>
    public int Finished { get; private set; }

    private string CurrentPolicy => _stages.PolicyAfter(Finished);

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
            // All begins again: a result would say that it is over.
            if (from.Iteration == 0)
            {
                WholeFolder.Remove(run.FinalPolicyFolder);
                WholeFolder.Remove(run.FinalWeightsFolder);
            }

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
            WaitForCheckpoint();
            string where = _work.Kept is { } kept ? $"in iteration {Finished + 1}, {kept}, checkpointed" : _place.Text;
            throw new InterruptedException($"Stopped {where}; {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}");
        }
        catch (EngineException error)
        {
            throw new EngineException($"{error.Message} {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}", error);
        }
        catch (NumericalException error)
        {
            // The same would happen again: what to do about it is for people to say.
            string stepBack = _config.Recovery.StepsBack > 0 ? "" : "; where the learning rate is to blame, with --set recovery.steps_back=2, which lowers it";
            throw new NumericalException($"{error.Message} {WaitAndTellWhatIsSafe()} When the cause is mended, go on with: {ResumeCommand}{stepBack}", error);
        }
        catch (BadDataException error)
        {
            throw Safe(error);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // Files of the run are told by name; what is left is the table on standard output.
            throw Safe(new BadDataException($"Standard output, or a file, could not be written or read: {(FileErrors.IsDiskFull(error) ? "the disk is full" : error.Message.TrimEnd('.'))}.", error));
        }
    }

    private void WaitForCheckpoint()
    {
        try
        {
            _checkpoints.Wait();
        }
        catch (BadDataException error)
        {
            throw Safe(error);
        }
    }

    private BadDataException Safe(BadDataException error) => new($"{error.Message} {WaitAndTellWhatIsSafe()} Go on with: {ResumeCommand}", error);

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
        Evaluation? before = _stages.Evaluations.Judge("before", _stages.PolicyAfter(0), CurrentPolicy, goesOn: Finished < _config.Iterations, cancellation);
        Iterate(cancellation);
        _checkpoints.Wait();
        RunPlace.Tell(Finished, RunPlace.End);
        _place.Text = "before the final evaluation was done";
        _stages.SaveFinal();
        Evaluation? after = _stages.Evaluations.Judge("after", _run.FinalPolicyFolder, CurrentPolicy, goesOn: false, cancellation);
        if (after is not null) _stages.Evaluations.JudgeWithLastReward(cancellation);
        WholeFolder.Remove(_run.UnfinishedFolder);
        var outcome = new RunOutcome(_config, _run, before, after, _warnings.Texts);
        outcome.WriteReport();
        return outcome;
    }

    private void Iterate(CancellationToken cancellation)
    {
        using var metrics = new MetricsWriter(_run.MetricsPath, keepThrough: Finished);
        using var board = new TensorBoardWriter(_run.TensorBoardFolder);
        var table = new IterationTable(IterationTable.Default);
        long stepsEach = PolicySession.PlannedSteps(_config, _config.Generation.PromptsPerIteration * _config.Generation.SamplesPerPrompt);
        using var progress = new ProgressReport("training", (_config.Iterations - Finished) * stepsEach, "steps");
        while (Finished < _config.Iterations)
        {
            int i = Finished + 1;
            _place.Text = $"before iteration {i}";
            cancellation.ThrowIfCancellationRequested();
            try
            {
                Dictionary<string, double> row = _work.Do(i, _rows, progress, stepsEach, cancellation);
                foreach (string warning in _health.Look(i, row)) Log.Warning(warning);
                metrics.Write(i, row);
                board.Write(i, row);
                Finished = i;
                _rows.Add(new MetricRow(i, row));
                _checkpoints.Write(i, [.. _rows]);
                table.Print(i, row);
                _stepsBack.Times = 0;
            }
            catch (NumericalException error) when (_stepsBack.AreLeft)
            {
                _checkpoints.Wait();
                _stages.ReturnTo(Finished, _rows, () => _stepsBack.Take(i, Finished, error));
            }
            catch (NumericalException error)
            {
                throw new NumericalException($"Iteration {i} failed: {error.Message}", error);
            }
        }
    }

    public void Dispose()
    {
        _warnings.Dispose();
        _checkpoints.Dispose();
        _stages.Dispose();
    }
}

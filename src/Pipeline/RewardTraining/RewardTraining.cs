using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>
/// A reward model that learns on during a run. After an iteration the responses that fooled it join the negatives (<c>negatives.parquet</c> of the
/// iteration); every so often it is trained on replayed labelled data and the negatives, and judged on held-out labels: where it lost too much it is
/// refused, otherwise the next iterations are scored with it. Everything is a pure function of the files of the run, so nothing of it is in checkpoints.
/// </summary>
public sealed class RewardTraining : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunDirectory _run;
    private readonly RewardSourceConfig _source;
    private readonly RewardSourceConfig _first;
    private readonly IReadOnlyList<RewardSourceConfig> _rewards;
    private RewardContinuation? _continuation;
    private IReadOnlyList<RewardExample> _anchors = [];
    private readonly NegativeSelection _selection;
    private double _accuracyFirst = double.NaN;
    private int _loaded = -1;

    private RewardTraining(RunConfig config, RunDirectory run, RunModels models, int current)
    {
        (_config, _run, Current) = (config, run, current);
        _source = RewardTrainingCheck.Trained(config);
        _rewards = models.Rewards;
        _selection = new NegativeSelection(config.RewardTraining, run);
        _first = models.Rewards[config.Scoring.Rewards.ToList().IndexOf(_source)] with { Name = _source.ColumnName };
    }

    private RewardTrainingConfig Section => _config.RewardTraining;

    /// <summary>The iteration whose reward model is in use; 0: the one that the run began with.</summary>
    public int Current { get; private set; }

    /// <summary>The run's rewards, with the trained one as it is now.</summary>
    public IReadOnlyList<RewardSourceConfig> Rewards => [.. _rewards.Select(r => r.ColumnName == _first.ColumnName ? Of(Current) : r)];

    /// <summary>The reward model of a run after so many iterations; null where none is trained.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="run">Its directory.</param>
    /// <param name="models">What it began with.</param>
    /// <param name="rows">Metrics of the iterations done.</param>
    /// <param name="finished">Iterations done.</param>
    /// <param name="mayRepair">True: a damaged export is made again from its weights.</param>
    /// <exception cref="BadDataException">The reward model of that time is missing or damaged.</exception>
    public static RewardTraining? Open(RunConfig config, RunDirectory run, RunModels models, IReadOnlyList<MetricRow> rows, int finished, bool mayRepair)
    {
        if (config.RewardTraining.Reward.Length == 0) return null;
        if (RewardHistory.Problems(config, run, rows, finished) is { Count: > 0 } lost)
            throw new BadDataException($"What iteration {finished + 1} reads of the run is damaged: {lost[0].TrimEnd('.')}. 'rlhf resume' makes iterations again from the newest checkpoint that does not need it.");
        int current = RewardHistory.CurrentAt(rows, finished);
        var training = new RewardTraining(config, run, models, current);
        training.CheckCurrent(mayRepair);
        return training;
    }

    /// <summary>Selects, trains where it is due, and lets the scorer go on with an accepted model.</summary>
    /// <param name="iteration">From 1.</param>
    /// <param name="rows">Its scored responses.</param>
    /// <param name="paths">Where its files go.</param>
    /// <param name="scoring">Its rewards are changed; null: left alone.</param>
    /// <param name="cancellation">Between steps.</param>
    /// <returns>Metrics by the names of the catalogue.</returns>
    public Dictionary<string, double> After(int iteration, IReadOnlyList<ScoredRollout> rows, IterationPaths paths, ScoringStage? scoring, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        List<Negative> found = _selection.Of(iteration, rows);
        IReadOnlyList<Negative> before = iteration == 1 ? [] : NegativesFile.Read(_run.Iteration(iteration - 1).Negatives);
        List<Negative> negatives = NegativesFile.Merge(before, found, _source.Input == RewardInput.Response, Section.MaxNegatives, _config.Seed);
        NegativesFile.Write(paths.Negatives, negatives);
        var metrics = new Dictionary<string, double> { ["reward_training/selected"] = found.Count, ["reward_training/negatives"] = negatives.Count };
        if (iteration % Section.Every == 0 && negatives.Count > 0)
        {
            foreach ((string name, double value) in Train(iteration, paths, cancellation)) metrics[name] = value;
            if (metrics[RewardHistory.Accepted] == 1)
            {
                Current = _loaded = iteration;
                scoring?.ReplaceReward(Of(iteration, paths));
            }
        }

        metrics["time/reward_training_seconds"] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return metrics;
    }

    /// <summary>After a step back: the reward model of the last finished iteration again.</summary>
    public void ReturnTo(IEnumerable<MetricRow> rows, int finished, ScoringStage scoring)
    {
        int then = RewardHistory.CurrentAt(rows, finished);
        if (then == Current) return;
        Current = then;
        scoring.ReplaceReward(Of(then));
    }

    private Dictionary<string, double> Train(int iteration, IterationPaths paths, CancellationToken cancellation)
    {
        RewardContinuation model = Continuation(cancellation);
        List<RewardExample> negatives = model.Negatives(paths.Negatives, cancellation);
        double before = model.Score(negatives).Average(), accuracy = double.NaN, after = double.NaN, loss = double.NaN;
        string? why = null;
        try
        {
            loss = model.Train(negatives, _anchors, (iteration / Section.Every) - 1, cancellation);
            accuracy = model.Quality().Headline;
            after = model.Score(negatives).Average();
            if (!(accuracy >= _accuracyFirst - Section.MaxAccuracyDrop))
                why = string.Create(CultureInfo.InvariantCulture, $"its held-out accuracy is {accuracy:0.000}, more than reward_training.max_accuracy_drop ({Section.MaxAccuracyDrop:0.###}) below the {_accuracyFirst:0.000} of the model that the run began with. Lower reward_training.learning_rate, steps or negative_share");
        }
        catch (NumericalException error)
        {
            why = error.Message.TrimEnd('.');
        }
        catch (OperationCanceledException)
        {
            _loaded = -1; // half-trained weights
            throw;
        }

        if (why is null)
        {
            model.Save(paths.RewardWeights, paths.Reward, _source.Model);
        }
        else
        {
            Log.Warning($"iteration {iteration}: the reward model as trained anew is refused: {why}. The one before goes on.");
            _loaded = -1;
        }

        return new Dictionary<string, double>
        {
            [RewardHistory.Accepted] = why is null ? 1 : 0, ["reward_training/accuracy"] = accuracy, ["reward_training/accuracy_first"] = _accuracyFirst, ["reward_training/loss"] = loss,
            ["reward_training/negatives_before"] = before, ["reward_training/negatives_after"] = after,
        };
    }

    /// <summary>The trainer with the weights of the current model; labelled data is read when it is needed first.</summary>
    private RewardContinuation Continuation(CancellationToken cancellation)
    {
        if (_continuation is null)
        {
            RewardModelConfig training = ConfigBinder.Load<RewardModelConfig>(Section.Config) with
            {
                Device = _config.Device, NegativeColumn = "response", NegativePromptColumn = _source.Input == RewardInput.Response ? "" : "prompt",
            };
            var options = new RewardContinuationOptions
            {
                Steps = Section.Steps, LearningRate = Section.LearningRate, BatchSize = Section.BatchSize, NegativeShare = Section.NegativeShare, AnchorShare = Section.AnchorShare,
                AdversarialEpsilon = Section.AdversarialEpsilon, EvaluateRows = Section.EvaluateRows,
            };
            _continuation = RewardContinuation.Open(training, options, _source.Model, cancellation);
            _accuracyFirst = _continuation.Quality().Headline;
            if (Section.AnchorShare > 0) _anchors = _continuation.Anchors(Path.Combine(_run.Iteration(1).Folder, "scored*.parquet"), cancellation);
            _loaded = 0;
        }

        if (_loaded != Current) _continuation.Reload(Current == 0 ? _source.Model : _run.Iteration(Current).RewardWeights);
        _loaded = Current;
        return _continuation;
    }

    /// <summary>The reward with the model as it was trained in an iteration; 0: as the run began with it.</summary>
    public RewardSourceConfig Of(int iteration) => iteration == 0 ? _first : Of(iteration, _run.Iteration(iteration));

    private RewardSourceConfig Of(int iteration, IterationPaths paths) => iteration == 0 ? _first : _first with { Model = paths.Reward };

    private void CheckCurrent(bool mayRepair)
    {
        if (Current == 0) return;
        IterationPaths paths = _run.Iteration(Current);
        if (FolderSeal.Problems(paths.Reward) is not { Count: > 0 } damage) return;
        if (!mayRepair) throw new BadDataException($"The exported reward model of iteration {Current} is damaged: {damage[0].TrimEnd('.')}. 'rlhf resume' makes it again from its weights.");
        Log.Warning($"the exported reward model of iteration {Current} is damaged ({damage[0].TrimEnd('.')}); it is exported again from its weights.");
        ModelExport.Folder(paths.RewardWeights, paths.Reward);
        FolderSeal.Write(paths.Reward);
    }

    public void Dispose() => _continuation?.Dispose();
}

using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// One iteration of an online method on scored responses: re-score with π_old (and V_old), shape rewards, let the method make advantages of them, then
/// epochs of minibatch descent on its loss, beside KL to the reference, value loss, entropy bonus and pretraining text where configured.
/// </summary>
public sealed class PolicyTrainer : IDisposable
{
    private readonly LlamaModel _policy;
    private readonly LlamaModel? _critic;
    private readonly RunConfig _run;
    private readonly MethodConfig _config;
    private readonly PolicyMethod _method;
    private readonly PolicyScorer _scorer;
    private readonly PolicyStep _step;
    private readonly bool _hasCritic;

    /// <param name="policy">Has a value head when the critic is shared.</param>
    /// <param name="critic">A separate value model, or null.</param>
    /// <param name="run">The run's configuration.</param>
    /// <param name="reference">The reference policy; needed for kl_estimator: full_vocabulary only.</param>
    /// <param name="pretraining">The text of PPO-ptx, or null.</param>
    public PolicyTrainer(LlamaModel policy, LlamaModel? critic, RunConfig run, LlamaModel? reference = null, PretrainingMix? pretraining = null)
    {
        (_policy, _critic, _run, _config) = (policy, critic, run, run.Method);
        if (_config.NeedsReferenceModel && reference is null) throw new ConfigurationException("method.kl_estimator is full_vocabulary; the trainer needs the reference model for it.");
        _scorer = new PolicyScorer(policy, critic, _config.MicroBatchTokens * 2, run.Generation.Temperature, device(run.Device), reference);
        _method = PolicyMethods.Create(_config);
        _hasCritic = _config.Critic != Critic.None;
        PolicyOptimizer = ModelParts.Optimizer(policy, run.Optimizer);
        if (critic is not null) CriticOptimizer = ModelParts.Optimizer(critic, run.Optimizer);
        _step = new PolicyStep(policy, critic, reference, pretraining, run, PolicyOptimizer, CriticOptimizer);
        State = PolicyState.Initial(_config);
    }

    public AdamW PolicyOptimizer { get; }

    public AdamW? CriticOptimizer { get; }

    /// <summary>Everything besides weights and moments that the next iteration depends on.</summary>
    public PolicyState State { get; set; }

    /// <summary>Trains on one iteration's responses: <see cref="Rescore"/>, then <see cref="Learn"/>.</summary>
    /// <param name="batch">Sequences, rollout and reference log-probs and scores (for group methods Groups) filled; the rest is filled here.</param>
    /// <param name="iteration">Part of the address of the minibatch order.</param>
    /// <param name="progress">Called after each optimiser step with (steps done, steps planned).</param>
    /// <param name="keeper">Takes a checkpoint when the work is interrupted, and gives the one of an interrupted attempt; null: neither.</param>
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    public PolicyMetrics Train(TrajectoryBatch batch, int iteration, Action<int, int>? progress = null, IterationKeeper? keeper = null, CancellationToken cancellation = default)
    {
        Reserve(batch);
        DescentPosition? from = keeper?.Restore(_policy, _critic, this, batch);
        if (from is null) Rescore(batch);
        return Learn(batch, iteration, progress, keeper, from, cancellation);
    }

    /// <summary>Fills log π_old, entropies, V_old and the exact KL with the weights as they are now.</summary>
    /// <exception cref="NumericalException">A log-prob or value is NaN or infinite; the message names rows and tensor.</exception>
    public void Rescore(TrajectoryBatch batch)
    {
        Reserve(batch);
        _scorer.Score(batch.Sequences, batch.Offsets, batch.OldLogProbs, batch.OldEntropies, _hasCritic ? batch.OldValues : [], batch.FullVocabularyKl);
        int[] bad = [.. Enumerable.Range(0, batch.Sequences.Count).Where(r => !batch.OldLogProbs.AsSpan(batch.Response(r)).AllFinite() || (_hasCritic && !batch.OldValues.AsSpan(batch.Response(r)).AllFinite()))];
        if (bad.Length == 0) return;
        throw new NumericalException($"Iteration {State.Iteration + 1}, {NumericalGuard.Rows(bad)} of the scored file: the policy's own log-probs or values of the responses are NaN or infinite before the first update.{_step.NonFinite()} Go on from an older checkpoint with a lower optimizer.learning_rate.");
    }

    /// <summary>Rewards, advantages and the epochs of minibatch steps on a batch that <see cref="Rescore"/> filled.</summary>
    /// <param name="batch">With the log-probs and values of the weights before the iteration.</param>
    /// <param name="iteration">From 1.</param>
    /// <param name="progress">(steps done, steps planned).</param>
    /// <param name="keeper">Takes a checkpoint when the work is interrupted.</param>
    /// <param name="from">Where an interrupted attempt had got to; its weights are in place.</param>
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    public PolicyMetrics Learn(
        TrajectoryBatch batch, int iteration, Action<int, int>? progress = null, IterationKeeper? keeper = null, DescentPosition? from = null,
        CancellationToken cancellation = default)
    {
        var metrics = new PolicyMetrics(_hasCritic);
        ShapedRewards shaped = RewardShaping.Fill(batch, _config, _run.Generation.MaxNewTokens, State);
        (metrics.KlPerSequence, metrics.KlCoefficient, metrics.RewardClipShare) = (shaped.KlPerSequence, State.KlCoefficient, shaped.ClippedShare);
        PolicyState learnt = _method.Advantages(batch, State);
        metrics.Observe(batch);
        if (_config.RewardNormalization is RewardNormalization.Running or RewardNormalization.RunningCentred) metrics.ScoreMoments = new RunningMoments(shaped.ScoreMoments);
        metrics.LeftOut = TrainedResponses.LeaveOut(batch, _config);
        if (_config.WhitenAdvantages) Whitening.ToZeroMeanUnitVariance(batch.Advantages, batch.ResponseMask);
        metrics.Correction = SamplerCorrection.Fill(batch, _config);

        Descend(batch, iteration, metrics, progress, keeper, from ?? new DescentPosition(), cancellation);
        if (_config.PenaltyCoefficient > 0) learnt = learnt with { PenaltyCoefficient = KlSchedules.Penalty(batch, _scorer, State.PenaltyCoefficient, _config, metrics) };
        State = learnt with
        {
            Iteration = iteration, ScoreMoments = shaped.ScoreMoments,
            KlCoefficient = KlSchedules.Reward(State.KlCoefficient, shaped.KlPerSequence, batch.Scored.Count(s => s), _config),
        };
        return metrics;
    }

    // The exact KL has a column only where it is asked for; a checkpoint within the iteration fills it, and so does re-scoring.
    private void Reserve(TrajectoryBatch batch)
    {
        if (_config.NeedsReferenceModel && batch.FullVocabularyKl.Length != batch.Tokens) batch.FullVocabularyKl = new double[batch.Tokens];
    }

    private void Descend(
        TrajectoryBatch batch, int iteration, PolicyMetrics metrics, Action<int, int>? progress, IterationKeeper? keeper, DescentPosition from, CancellationToken cancellation)
    {
        IPolicyLoss loss = _method.Loss(State);
        int length = _config.ConstantLength > 0 ? _config.ConstantLength : _run.Generation.MaxNewTokens;
        var objective = new MicroBatchLoss(_config, length, metrics.Ratios);
        int steps = (batch.Sequences.Count + _config.MinibatchSize - 1) / _config.MinibatchSize;
        metrics.Ratios.Add([.. from.Ratios]);
        (metrics.Sums, metrics.FirstRatioGap, metrics.StoppedEarly) = (from.Sums, from.FirstRatioGap, from.StoppedEarly);
        bool ratioChecked = from.FirstRatioChecked;
        for (int epoch = from.Epoch; epoch < _config.Epochs; epoch++)
        {
            int[] order = AddressedRandom.Permutation(batch.Sequences.Count, _run.Seed, (uint)iteration, (uint)epoch);
            int trained = Enumerable.Range(0, steps).Count(s => Trained(s).Length > 0);
            (int first, double epochKl) = epoch == from.Epoch ? (from.Step, from.EpochKl) : (0, 0);
            for (int step = first; step < steps; step++)
            {
                if (cancellation.IsCancellationRequested || keeper is { IsDue: true }) keeper?.Keep(_policy, _critic, this, batch, At(epoch, step, epochKl));
                cancellation.ThrowIfCancellationRequested();
                int[] rows = Trained(step);
                if (rows.Length > 0)
                {
                    MinibatchResult result = _step.Take(batch, rows, iteration, objective, loss, State);
                    if (!ratioChecked) _step.CheckFirstRatio(result, iteration, metrics);
                    ratioChecked = true;
                    epochKl += result.Policy.ApproximateKlK3 / trained;
                    metrics.Add(result);
                }

                progress?.Invoke((epoch * steps) + step + 1, steps * _config.Epochs);
            }

            if (_config.TargetKl > 0 && epochKl > _config.TargetKl)
            {
                metrics.StoppedEarly = epoch + 1 < _config.Epochs;
                break;
            }

            // Responses of a minibatch that have a token to train on.
            int[] Trained(int step) =>
                [.. order.Skip(step * _config.MinibatchSize).Take(_config.MinibatchSize).Where(r => batch.ResponseMask.AsSpan(batch.Response(r)).Contains(true))];
        }

        if (keeper is not null) keeper.Ended = new DescentEnd(batch, At(_config.Epochs, 0, 0), State);
        DescentPosition At(int epoch, int step, double epochKl) => new()
        {
            Epoch = epoch, Step = step, Steps = steps, Epochs = _config.Epochs, EpochKl = epochKl, FirstRatioChecked = ratioChecked, FirstRatioGap = metrics.FirstRatioGap, StoppedEarly = metrics.StoppedEarly,
            Sums = metrics.Sums, Ratios = [.. metrics.Ratios.Counts],
        };
    }

    public void Dispose()
    {
        PolicyOptimizer.Dispose();
        CriticOptimizer?.Dispose();
    }
}

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
    private readonly LlamaModel? _reference;
    private readonly PretrainingMix? _pretraining;
    private readonly RunConfig _run;
    private readonly MethodConfig _config;
    private readonly PolicyMethod _method;
    private readonly LanguageModelHead _head;
    private readonly LanguageModelHead? _referenceHead;
    private readonly PolicyScorer _scorer;
    private readonly Device _device;
    private readonly bool _hasCritic;

    /// <param name="policy">Has a value head when the critic is shared.</param>
    /// <param name="critic">A separate value model, or null.</param>
    /// <param name="run">The run's configuration.</param>
    /// <param name="reference">The reference policy; needed for kl_estimator: full_vocabulary only.</param>
    /// <param name="pretraining">The text of PPO-ptx, or null.</param>
    public PolicyTrainer(LlamaModel policy, LlamaModel? critic, RunConfig run, LlamaModel? reference = null, PretrainingMix? pretraining = null)
    {
        (_policy, _critic, _run, _config, _reference, _pretraining) = (policy, critic, run, run.Method, reference, pretraining);
        if (_config.NeedsReferenceModel && reference is null) throw new ConfigurationException("method.kl_estimator is full_vocabulary; the trainer needs the reference model for it.");
        _device = device(run.Device);
        _head = ModelParts.Head(policy);
        _referenceHead = reference is null ? null : ModelParts.Head(reference, trainable: false);
        _scorer = new PolicyScorer(policy, critic, _config.MicroBatchTokens * 2, run.Generation.Temperature, _device, reference);
        _method = PolicyMethods.Create(_config);
        _hasCritic = _config.Critic != Critic.None;
        PolicyOptimizer = ModelParts.Optimizer(policy, run.Optimizer);
        if (critic is not null) CriticOptimizer = ModelParts.Optimizer(critic, run.Optimizer);
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
        if (_config.NeedsReferenceModel) batch.FullVocabularyKl = new double[batch.Tokens];
        DescentPosition? from = keeper?.Restore(_policy, _critic, this, batch);
        if (from is null) Rescore(batch);
        return Learn(batch, iteration, progress, keeper, from, cancellation);
    }

    /// <summary>Fills log π_old, entropies, V_old and the exact KL with the weights as they are now.</summary>
    /// <exception cref="NumericalException">A log-prob or value is NaN or infinite; the message names rows and tensor.</exception>
    public void Rescore(TrajectoryBatch batch)
    {
        if (_config.NeedsReferenceModel) batch.FullVocabularyKl = new double[batch.Tokens];
        _scorer.Score(batch.Sequences, batch.Offsets, batch.OldLogProbs, batch.OldEntropies, _hasCritic ? batch.OldValues : [], batch.FullVocabularyKl);
        int[] bad = [.. Enumerable.Range(0, batch.Sequences.Count).Where(r => !batch.OldLogProbs.AsSpan(batch.Response(r)).AllFinite() || (_hasCritic && !batch.OldValues.AsSpan(batch.Response(r)).AllFinite()))];
        if (bad.Length == 0) return;
        throw new NumericalException($"Iteration {State.Iteration + 1}, {NumericalGuard.Rows(bad)} of the scored file: the policy's own log-probs or values of the responses are NaN or infinite before the first update.{NonFinite()} Go on from an older checkpoint with a lower optimizer.learning_rate.");
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
        metrics.LeftOut = TrainedResponses.LeaveOut(batch, _config);
        if (_config.WhitenAdvantages) Whitening.ToZeroMeanUnitVariance(batch.Advantages, batch.ResponseMask);
        metrics.Correction = SamplerCorrection.Fill(batch, _config);

        Descend(batch, iteration, metrics, progress, keeper, from ?? new DescentPosition(), cancellation);
        if (_config.PenaltyCoefficient > 0) learnt = learnt with { PenaltyCoefficient = NextPenalty(batch, metrics) };
        State = learnt with
        {
            Iteration = iteration, ScoreMoments = shaped.ScoreMoments,
            KlCoefficient = NextKlCoefficient(State.KlCoefficient, shaped.KlPerSequence, batch.Scored.Count(s => s), _config),
        };
        return metrics;
    }

    /// <summary>β of the next iteration (Ziegler et al. 2019).</summary>
    public static double NextKlCoefficient(double coefficient, double klPerSequence, int sequences, MethodConfig config)
    {
        if (config.KlTarget <= 0) return coefficient;
        var controller = new AdaptiveKlController(coefficient, config.KlTarget, config.KlHorizon);
        controller.Update(klPerSequence, sequences);
        return controller.Coefficient;
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
            (int first, double epochKl) = epoch == from.Epoch ? (from.Step, from.EpochKl) : (0, 0);
            for (int step = first; step < steps; step++)
            {
                if (cancellation.IsCancellationRequested || keeper is { IsDue: true }) keeper?.Keep(_policy, _critic, this, batch, At(epoch, step, epochKl));
                cancellation.ThrowIfCancellationRequested();
                int start = step * _config.MinibatchSize;
                int[] rows = [.. order[start..Math.Min(start + _config.MinibatchSize, order.Length)].Where(r => batch.ResponseMask.AsSpan(batch.Response(r)).Contains(true))];
                if (rows.Length > 0)
                {
                    MinibatchResult result = Minibatch(batch, rows, iteration, objective, loss);
                    if (!ratioChecked) CheckFirstRatio(result, iteration, metrics);
                    ratioChecked = true;
                    epochKl += result.Policy.ApproximateKlK3 / steps;
                    metrics.Add(result);
                }

                progress?.Invoke((epoch * steps) + step + 1, steps * _config.Epochs);
            }

            if (_config.TargetKl > 0 && epochKl > _config.TargetKl)
            {
                metrics.StoppedEarly = epoch + 1 < _config.Epochs;
                break;
            }
        }

        if (keeper is not null) keeper.Ended = new DescentEnd(batch, At(_config.Epochs, 0, 0), State);
        DescentPosition At(int epoch, int step, double epochKl) => new()
        {
            Epoch = epoch, Step = step, Steps = steps, Epochs = _config.Epochs, EpochKl = epochKl, FirstRatioChecked = ratioChecked, FirstRatioGap = metrics.FirstRatioGap, StoppedEarly = metrics.StoppedEarly,
            Sums = metrics.Sums, Ratios = [.. metrics.Ratios.Counts],
        };
    }

    /// <summary>Accumulates the minibatch's gradient over micro-batches (normalised by the minibatch's own counts) and takes one step.</summary>
    private MinibatchResult Minibatch(TrajectoryBatch batch, int[] rows, int iteration, MicroBatchLoss objective, IPolicyLoss loss)
    {
        var counts = new AggregationCounts(rows.Sum(r => (long)RaggedOffsets.TrainedTokens(batch.ResponseMask.AsSpan(batch.Response(r)))), rows.Length);
        bool warmUp = iteration <= _config.CriticWarmupIterations;
        var result = new MinibatchResult();
        foreach (int[] cut in CollatedBatch.CutByTokens([.. rows.Select(r => batch.Sequences[r].Tokens.Length)], _config.MicroBatchTokens))
        {
            MicroBatch(batch, [.. cut.Select(i => rows[i])], counts, objective, loss, iteration, result);
        }

        if (_pretraining is not null && !warmUp) result.AddLoss(Pretrain(_pretraining.Of(PolicyOptimizer.Step)));
        if (!double.IsFinite(result.Loss))
        {
            throw new NumericalException($"The loss is {result.Loss} in iteration {iteration}, optimiser step {PolicyOptimizer.Step + 1}, {NumericalGuard.Rows(rows)} and the pretraining text; no step was taken.{NonFinite()}");
        }

        if (_config.RatioGuard > 0 && result.Policy.RatioMean > _config.RatioGuard)
        {
            // The step is left out, not the run: these responses are too far from what the policy has become.
            using IDisposable noGrad = no_grad();
            _policy.Parameters.Gradient!.zero_();
            _critic?.Parameters.Gradient!.zero_();
            result.Guarded = true;
            return result;
        }

        // Iterations count from 1: the first trains at the peak, and the last one still above the final fraction.
        double learningRate = LearningRate.At(_run.Optimizer, PolicyOptimizer.Step, (iteration - 1) / (double)_run.Iterations) * State.LearningRateFactor;
        result.LearningRate = learningRate;
        try
        {
            // A policy apart from its critic takes no step in warm-up: weight decay would move it. A shared one steps with the value head's gradient alone.
            if (!warmUp || CriticOptimizer is null) result.GradientNorm = PolicyOptimizer.TakeStep(learningRate);
            double criticNorm = CriticOptimizer?.TakeStep(learningRate) ?? 0;
            if (warmUp && CriticOptimizer is not null) result.GradientNorm = criticNorm;
        }
        catch (NumericalException error)
        {
            throw new NumericalException($"Iteration {iteration}, {NumericalGuard.Rows(rows)} of the scored file: {error.Message}", error);
        }

        return result;
    }

    private void MicroBatch(TrajectoryBatch batch, int[] rows, AggregationCounts counts, MicroBatchLoss objective, IPolicyLoss loss, int iteration, MinibatchResult result)
    {
        using DisposeScope scope = NewDisposeScope();
        CollatedBatch collated = CollatedBatch.Create([.. rows.Select(r => batch.Sequences[r])], _device);
        Tensor chosen = PolicyScorer.States(_policy, collated); // [tokens, hidden]
        bool onlyCritic = iteration <= _config.CriticWarmupIterations;
        if (onlyCritic) chosen = chosen.detach(); // a shared trunk stays as it is; its value head learns
        bool withEntropy = _config.EntropyCoefficient > 0;
        HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, _run.Generation.Temperature, withEntropy, forBackward: !onlyCritic, objective.FullKlInLoss ? ReferenceOf(collated) : null);
        Tensor? values = !_hasCritic ? null : _critic is null ? _policy.Values(chosen) : _critic.Values(PolicyScorer.States(_critic, collated)); // [tokens]

        float[] predicted = values is null ? [] : PolicyScorer.HostFloats(values);
        MicroBatchSums sums = objective.Compute(batch, rows, collated.Offsets, forward, predicted, counts, loss, State.KlCoefficient);
        if (!double.IsFinite(sums.Loss)) throw NotFinite(sums.Loss, batch, rows, collated.Offsets, forward, predicted, iteration);
        result.Add(sums);
        var (outputs, gradients) = (new List<Tensor>(2), new List<Tensor>(2));
        if (!onlyCritic)
        {
            outputs.Add(chosen);
            gradients.Add(_head.Backward(forward, objective.LogProbGradient, objective.EntropyGradient, objective.FullKlGradient));
        }

        if (values is not null)
        {
            outputs.Add(values);
            gradients.Add(tensor(objective.ValueGradient, [values.shape[0]]).to(_device));
        }

        autograd.backward([.. outputs], [.. gradients]);
    }

    /// <summary>Adds the gradient of −γ · mean log π of pretraining text; returns this term of the loss.</summary>
    private double Pretrain(TrainingSequence[] sequences)
    {
        double weight = 1.0 / sequences.Sum(s => s.ResponseLength), total = 0;
        foreach (int[] cut in CollatedBatch.CutByTokens([.. sequences.Select(s => s.Tokens.Length)], _config.MicroBatchTokens))
        {
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch collated = CollatedBatch.Create([.. cut.Select(i => sequences[i])], _device);
            Tensor chosen = PolicyScorer.States(_policy, collated);
            HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, 1, withEntropy: false, forBackward: true);
            int n = collated.ResponseTokens;
            double[] weights = new double[n], gradient = new double[n];
            bool[] mask = new bool[n];
            Array.Fill(weights, weight);
            Array.Fill(mask, true);
            total += LikelihoodLoss.Evaluate(_config.PtxCoefficient, mask, [.. forward.LogProbs.Select(p => (double)p)], weights, gradient);
            autograd.backward([chosen], [_head.Backward(forward, [.. gradient.Select(g => (float)g)], [])]);
        }

        return total;
    }

    /// <summary>β after the update: by the KL(π_old‖π) that it really made, measured with the weights as they are now.</summary>
    private double NextPenalty(TrajectoryBatch batch, PolicyMetrics metrics)
    {
        double[] logProbs = new double[batch.Tokens];
        _scorer.Score(batch.Sequences, batch.Offsets, logProbs, [], []);
        double sum = 0;
        long tokens = 0;
        for (int t = 0; t < batch.Tokens; t++)
        {
            if (!batch.ResponseMask[t]) continue;
            tokens++;
            sum += KlEstimators.Estimate(KlEstimator.K3, batch.OldLogProbs[t], logProbs[t]);
        }

        (metrics.PenaltyKl, metrics.PenaltyCoefficient) = (tokens == 0 ? 0 : sum / tokens, State.PenaltyCoefficient);
        if (_config.PenaltyTarget <= 0) return State.PenaltyCoefficient;
        var controller = new DoublingKlController(State.PenaltyCoefficient, _config.PenaltyTarget);
        controller.Update(metrics.PenaltyKl.Value, batch.Scored.Count(s => s));
        return controller.Coefficient;
    }

    private ReferenceStates ReferenceOf(CollatedBatch collated)
    {
        using IDisposable noGrad = no_grad();
        return new ReferenceStates(_referenceHead!, PolicyScorer.States(_reference!, collated));
    }

    private NumericalException NotFinite(double loss, TrajectoryBatch batch, int[] rows, int[] offsets, HeadForward forward, float[] values, int iteration)
    {
        double[] Gather(double[] column)
        {
            double[] gathered = new double[offsets[^1]];
            for (int i = 0; i < rows.Length; i++) column.AsSpan(batch.Response(rows[i])).CopyTo(gathered.AsSpan(offsets[i]));
            return gathered;
        }

        return NumericalGuard.Loss(loss, $"iteration {iteration}, optimiser step {PolicyOptimizer.Step + 1}", rows, offsets,
        [
            ("old log-probs", Gather(batch.OldLogProbs)), ("reference log-probs", Gather(batch.ReferenceLogProbs)), ("old values", Gather(batch.OldValues)),
            ("rewards", Gather(batch.Rewards)), ("advantages", Gather(batch.Advantages)), ("returns", Gather(batch.Returns)),
            ("log-probs under the weights as they are", [.. forward.LogProbs.Select(p => (double)p)]), .. values.Length == 0 ? [] : ((string, double[])[])[("values under the weights as they are", [.. values.Select(v => (double)v)])],
        ], NonFinite());
    }

    private string NonFinite() => ModelParts.NonFinite(_policy) is { Length: > 0 } found ? found : _critic is null ? "" : ModelParts.NonFinite(_critic);

    /// <summary>Before the first update π = π_old, so every ratio must be 1: a wrong mask, temperature or position shows here.</summary>
    private void CheckFirstRatio(MinibatchResult first, int iteration, PolicyMetrics metrics)
    {
        metrics.FirstRatioGap = first.Policy.RatioDeviationMax;
        if (first.Policy.RatioDeviationMax <= _config.FirstRatioTolerance) return;
        throw new NumericalException(
            $"Iteration {iteration}: on the first minibatch of the first epoch max |ratio − 1| is {first.Policy.RatioDeviationMax:G3}, expected at most "
            + $"method.first_ratio_tolerance = {_config.FirstRatioTolerance:G3}. The log-probs that the trainer re-scored and those of its own training pass differ: "
            + "the model is not deterministic, or the weights changed in between.");
    }

    public void Dispose()
    {
        PolicyOptimizer.Dispose();
        CriticOptimizer?.Dispose();
    }
}

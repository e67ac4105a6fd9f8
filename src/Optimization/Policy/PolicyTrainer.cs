using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// One iteration of PPO on scored responses, in the paper's order: re-score with π_old and V_old, shape rewards, estimate advantages
/// (GAE), then epochs of minibatch ascent on the clipped surrogate with a clipped value loss and an entropy bonus.
/// </summary>
public sealed class PolicyTrainer : IDisposable
{
    private readonly LlamaModel _policy;
    private readonly LlamaModel? _critic;
    private readonly RunConfig _run;
    private readonly MethodConfig _config;
    private readonly LanguageModelHead _head;
    private readonly IPolicyLoss _loss;
    private readonly Device _device;

    /// <param name="policy">Has a value head when <paramref name="critic"/> is null.</param>
    /// <param name="critic">A separate value model, or null for the shared trunk.</param>
    /// <param name="run">The run's configuration.</param>
    public PolicyTrainer(LlamaModel policy, LlamaModel? critic, RunConfig run)
    {
        (_policy, _critic, _run, _config) = (policy, critic, run, run.Method);
        _device = device(run.Device);
        _head = ModelParts.Head(policy);
        _loss = new PpoClip(_config.ClipRange, _config.ClipRangeHigh > 0 ? _config.ClipRangeHigh : null, _config.DualClip > 0 ? _config.DualClip : null);
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
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    public PolicyMetrics Train(TrajectoryBatch batch, int iteration, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        Rescore(batch);
        return Learn(batch, iteration, progress, cancellation);
    }

    /// <summary>Fills log π_old, entropies and V_old with the weights as they are now.</summary>
    /// <exception cref="NumericalException">A log-prob or value is NaN or infinite; the message names the tensor.</exception>
    public void Rescore(TrajectoryBatch batch)
    {
        var scorer = new PolicyScorer(_policy, _critic, _config.MicroBatchTokens * 2, _run.Generation.Temperature, _device);
        scorer.Score(batch.Sequences, batch.Offsets, batch.OldLogProbs, batch.OldEntropies, batch.OldValues);
        if (batch.OldLogProbs.All(double.IsFinite) && batch.OldValues.All(double.IsFinite)) return;
        throw new NumericalException($"The policy's own log-probs or values of the responses are NaN or infinite before the first update.{NonFinite()} Go on from an older checkpoint with a lower optimizer.learning_rate.");
    }

    /// <summary>Rewards, advantages and the epochs of minibatch steps on a batch that <see cref="Rescore"/> filled.</summary>
    public PolicyMetrics Learn(TrajectoryBatch batch, int iteration, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        var metrics = new PolicyMetrics();
        (metrics.KlPerSequence, Moments scoreMoments) = PolicyAdvantages.Fill(batch, _config, State);
        metrics.KlCoefficient = State.KlCoefficient;
        metrics.Observe(batch);
        if (_config.WhitenAdvantages) Whitening.ToZeroMeanUnitVariance(batch.Advantages, batch.ResponseMask);

        int steps = (batch.Sequences.Count + _config.MinibatchSize - 1) / _config.MinibatchSize, done = 0;
        for (int epoch = 0; epoch < _config.Epochs; epoch++)
        {
            int[] order = AddressedRandom.Permutation(batch.Sequences.Count, _run.Seed, (uint)iteration, (uint)epoch);
            double epochKl = 0;
            for (int step = 0; step < steps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                int from = step * _config.MinibatchSize;
                int[] rows = order[from..Math.Min(from + _config.MinibatchSize, order.Length)];
                MinibatchResult result = Minibatch(batch, rows, iteration);
                if (epoch == 0 && step == 0) CheckFirstRatio(result, iteration, metrics);
                epochKl += result.Policy.ApproximateKlK3 / steps;
                metrics.Add(result);
                progress?.Invoke(++done, steps * _config.Epochs);
            }

            if (_config.TargetKl > 0 && epochKl > _config.TargetKl)
            {
                metrics.StoppedEarly = epoch + 1 < _config.Epochs;
                break;
            }
        }

        double next = PolicyAdvantages.NextKlCoefficient(State.KlCoefficient, metrics.KlPerSequence, batch.Sequences.Count, _config);
        State = new PolicyState(iteration, next, scoreMoments);
        return metrics;
    }

    /// <summary>Accumulates the minibatch's gradient over micro-batches (normalised by the minibatch's own token count) and takes one step.</summary>
    private MinibatchResult Minibatch(TrajectoryBatch batch, int[] rows, int iteration)
    {
        var counts = new AggregationCounts(rows.Sum(r => (long)batch.Sequences[r].ResponseLength), rows.Length);
        var result = new MinibatchResult();
        foreach (int[] cut in CollatedBatch.CutByTokens([.. rows.Select(r => batch.Sequences[r].Tokens.Length)], _config.MicroBatchTokens))
        {
            MicroBatch(batch, [.. cut.Select(i => rows[i])], counts, result);
        }

        if (!double.IsFinite(result.Loss))
        {
            throw new NumericalException($"The PPO loss is {result.Loss} in iteration {iteration}, responses {string.Join(", ", rows.Take(8))}…; no step was taken.{NonFinite()}");
        }

        // Iterations count from 1: the first trains at the peak, and the last one still above the final fraction.
        double learningRate = LearningRate.At(_run.Optimizer, PolicyOptimizer.Step, (iteration - 1) / (double)_run.Iterations);
        result.LearningRate = learningRate;
        result.GradientNorm = PolicyOptimizer.TakeStep(learningRate);
        CriticOptimizer?.TakeStep(learningRate);
        return result;
    }

    private void MicroBatch(TrajectoryBatch batch, int[] rows, AggregationCounts counts, MinibatchResult result)
    {
        using DisposeScope scope = NewDisposeScope();
        CollatedBatch collated = CollatedBatch.Create([.. rows.Select(r => batch.Sequences[r])], _device);
        Tensor states = _policy.Hidden(collated.Inputs); // [batch, time, hidden]
        Tensor chosen = states.reshape(-1, states.shape[2]).index_select(0, collated.Positions); // [tokens, hidden]
        bool withEntropy = _config.EntropyCoefficient > 0;
        HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, _run.Generation.Temperature, withEntropy, forBackward: true);
        Tensor values = CriticValues(collated, chosen); // [tokens]

        MicroBatchLoss loss = MicroBatchLoss.Compute(batch, rows, collated.Offsets, forward, PolicyScorer.HostFloats(values), counts, _loss, _config);
        result.Add(loss);
        Tensor stateGradient = _head.Backward(forward, loss.LogProbGradient, withEntropy ? loss.EntropyGradient : []);
        Tensor valueGradient = tensor(loss.ValueGradient).to(_device);
        autograd.backward([chosen, values], [stateGradient, valueGradient]);
    }

    private string NonFinite() => ModelParts.NonFinite(_policy) is { Length: > 0 } found ? found : _critic is null ? "" : ModelParts.NonFinite(_critic);

    private Tensor CriticValues(CollatedBatch collated, Tensor policyStates)
    {
        if (_critic is null) return _policy.Values(policyStates);
        Tensor states = _critic.Hidden(collated.Inputs);
        return _critic.Values(states.reshape(-1, states.shape[2]).index_select(0, collated.Positions));
    }

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

using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>One optimiser step: a minibatch in micro-batches through policy and critic, its loss and gradient, and the guards around it.</summary>
internal sealed class PolicyStep
{
    private readonly LlamaModel _policy;
    private readonly LlamaModel? _critic;
    private readonly LlamaModel? _reference;
    private readonly PretrainingMix? _pretraining;
    private readonly RunConfig _run;
    private readonly MethodConfig _config;
    private readonly AdamW _policyOptimizer;
    private readonly AdamW? _criticOptimizer;
    private readonly LanguageModelHead _head;
    private readonly LanguageModelHead? _referenceHead;
    private readonly Device _device;
    private readonly bool _hasCritic;

    public PolicyStep(LlamaModel policy, LlamaModel? critic, LlamaModel? reference, PretrainingMix? pretraining, RunConfig run, AdamW policyOptimizer, AdamW? criticOptimizer)
    {
        (_policy, _critic, _reference, _pretraining, _run, _config, _policyOptimizer, _criticOptimizer) = (policy, critic, reference, pretraining, run, run.Method, policyOptimizer, criticOptimizer);
        _head = ModelParts.Head(policy);
        _referenceHead = reference is null ? null : ModelParts.Head(reference, trainable: false);
        _device = device(run.Device);
        _hasCritic = _config.Critic != Critic.None;
    }

    /// <summary>Accumulates the minibatch's gradient over micro-batches (normalised by the minibatch's own counts) and takes one step.</summary>
    /// <param name="batch">The iteration.</param>
    /// <param name="rows">Responses of the minibatch.</param>
    /// <param name="iteration">From 1.</param>
    /// <param name="objective">Value, KL and entropy terms around the method's loss.</param>
    /// <param name="loss">The method's.</param>
    /// <param name="state">Before the iteration: β, and what the learning rate is scaled by.</param>
    /// <exception cref="NumericalException">The loss or a gradient is NaN or infinite; no step was taken.</exception>
    public MinibatchResult Take(TrajectoryBatch batch, int[] rows, int iteration, MicroBatchLoss objective, IPolicyLoss loss, PolicyState state)
    {
        var counts = new AggregationCounts(rows.Sum(r => (long)RaggedOffsets.TrainedTokens(batch.ResponseMask.AsSpan(batch.Response(r)))), rows.Length);
        bool warmUp = iteration <= _config.CriticWarmupIterations;
        var result = new MinibatchResult();
        foreach (int[] cut in CollatedBatch.CutByTokens([.. rows.Select(r => batch.Sequences[r].Tokens.Length)], _config.MicroBatchTokens))
        {
            MicroBatch(batch, [.. cut.Select(i => rows[i])], counts, objective, loss, state.KlCoefficient, iteration, result);
        }

        if (_pretraining is not null && !warmUp) result.AddLoss(_pretraining.AddGradient(_policy, _head, _config, _policyOptimizer.Step));
        if (!double.IsFinite(result.Loss))
        {
            throw new NumericalException($"The loss is {result.Loss} in iteration {iteration}, optimiser step {_policyOptimizer.Step + 1}, {NumericalGuard.Rows(rows)} and the pretraining text; no step was taken.{NonFinite()}");
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
        double learningRate = LearningRate.At(_run.Optimizer, _policyOptimizer.Step, (iteration - 1) / (double)_run.Iterations) * state.LearningRateFactor;
        result.LearningRate = learningRate;
        try
        {
            // A policy apart from its critic takes no step in warm-up: weight decay would move it. A shared one steps with the value head's gradient alone.
            if (!warmUp || _criticOptimizer is null) result.GradientNorm = _policyOptimizer.TakeStep(learningRate);
            double criticNorm = _criticOptimizer?.TakeStep(learningRate) ?? 0;
            if (warmUp && _criticOptimizer is not null) result.GradientNorm = criticNorm;
        }
        catch (NumericalException error)
        {
            throw new NumericalException($"Iteration {iteration}, {NumericalGuard.Rows(rows)} of the scored file: {error.Message}", error);
        }

        return result;
    }

    private void MicroBatch(TrajectoryBatch batch, int[] rows, AggregationCounts counts, MicroBatchLoss objective, IPolicyLoss loss, double klCoefficient, int iteration, MinibatchResult result)
    {
        using DisposeScope scope = NewDisposeScope();
        CollatedBatch collated = CollatedBatch.Create([.. rows.Select(r => batch.Sequences[r])], _device);
        bool onlyCritic = iteration <= _config.CriticWarmupIterations;
        Tensor chosen; // [tokens, hidden]
        using (onlyCritic ? no_grad() : null) chosen = PolicyScorer.States(_policy, collated); // a shared trunk stays as it is; its value head learns
        bool withEntropy = _config.EntropyCoefficient > 0;
        HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, _run.Generation.Temperature, withEntropy, forBackward: !onlyCritic, objective.FullKlInLoss ? ReferenceOf(collated) : null);
        Tensor? values = !_hasCritic ? null : _critic is null ? _policy.Values(chosen) : _critic.Values(PolicyScorer.States(_critic, collated)); // [tokens]

        float[] predicted = values is null ? [] : PolicyScorer.HostFloats(values);
        MicroBatchSums sums = objective.Compute(batch, rows, collated.Offsets, forward, predicted, counts, loss, klCoefficient);
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

    private ReferenceStates ReferenceOf(CollatedBatch collated)
    {
        using IDisposable noGrad = no_grad();
        return new ReferenceStates(_referenceHead!, PolicyScorer.States(_reference!, collated));
    }

    /// <summary>Before the first update π = π_old, so every ratio must be 1: a wrong mask, temperature or position shows here.</summary>
    public void CheckFirstRatio(MinibatchResult first, int iteration, PolicyMetrics metrics)
    {
        metrics.FirstRatioGap = first.Policy.RatioDeviationMax;
        if (first.Policy.RatioDeviationMax <= _config.FirstRatioTolerance) return;
        throw new NumericalException(
            $"Iteration {iteration}: on the first minibatch of the first epoch max |ratio − 1| is {first.Policy.RatioDeviationMax:G3}, expected at most "
            + $"method.first_ratio_tolerance = {_config.FirstRatioTolerance:G3}. The log-probs that the trainer re-scored and those of its own training pass differ: "
            + "the model is not deterministic, or the weights changed in between.");
    }

    /// <summary>The first tensor of the policy or critic that is not finite, as the end of a message; empty where there is none.</summary>
    public string NonFinite() => ModelParts.NonFinite(_policy) is { Length: > 0 } found ? found : _critic is null ? "" : ModelParts.NonFinite(_critic);

    private NumericalException NotFinite(double loss, TrajectoryBatch batch, int[] rows, int[] offsets, HeadForward forward, float[] values, int iteration)
    {
        double[] Gather(double[] column)
        {
            double[] gathered = new double[offsets[^1]];
            for (int i = 0; i < rows.Length; i++) column.AsSpan(batch.Response(rows[i])).CopyTo(gathered.AsSpan(offsets[i]));
            return gathered;
        }

        return NumericalGuard.Loss(loss, $"iteration {iteration}, optimiser step {_policyOptimizer.Step + 1}", rows, offsets,
        [
            ("old log-probs", Gather(batch.OldLogProbs)), ("reference log-probs", Gather(batch.ReferenceLogProbs)), ("old values", Gather(batch.OldValues)),
            ("rewards", Gather(batch.Rewards)), ("advantages", Gather(batch.Advantages)), ("returns", Gather(batch.Returns)),
            ("log-probs under the weights as they are", [.. forward.LogProbs.Select(p => (double)p)]), .. values.Length == 0 ? [] : ((string, double[])[])[("values under the weights as they are", [.. values.Select(v => (double)v)])],
        ], NonFinite());
    }
}

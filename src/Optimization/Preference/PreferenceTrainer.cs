using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Trains a policy on preferences. Token log-probs → one number a response → the method's loss and gradient → back to tokens; every pair weighs
/// 1/batch, so the loss does not depend on how the batch is cut.
/// </summary>
public sealed class PreferenceTrainer : IDisposable
{
    private readonly LlamaModel _model;
    private readonly PreferenceConfig _config;
    private readonly IPreferenceObjective _objective;
    private readonly LanguageModelHead _head;
    private readonly Device _device;

    public PreferenceTrainer(LlamaModel model, PreferenceConfig config)
    {
        (_model, _config, _objective) = (model, config, PreferenceObjectives.Of(config));
        _device = device(config.Device);
        _head = ModelParts.Head(model);
        Optimizer = ModelParts.Optimizer(model, config.Optimizer);
    }

    public AdamW Optimizer { get; }

    /// <summary>One optimiser step. The examples' reference log-probs are filled where the method needs them.</summary>
    public (PreferenceLossSums Sums, double GradientNorm) Step(IReadOnlyList<PreferenceExample> batch, double progress)
    {
        double z = ReferencePoint(batch), scale = 1.0 / _objective.Units(batch);
        PreferenceLossSums sums = default;
        foreach (int[] cut in Cut(batch)) sums += MicroBatch([.. cut.Select(i => batch[i])], z, scale);
        if (!double.IsFinite(sums.Loss))
        {
            throw new NumericalException(
                $"The {_config.Method} loss is {sums.Loss} at optimiser step {Optimizer.Step + 1}, rows {string.Join(", ", batch.Take(8).Select(e => e.Row))}…; no step was taken."
                + $"{ModelParts.NonFinite(_model)} Lower optimizer.learning_rate.");
        }

        return (sums, Optimizer.TakeStep(LearningRate.At(_config.Optimizer, Optimizer.Step, progress)));
    }

    /// <summary>Mean loss, accuracy and rewards of held-out examples, without training.</summary>
    public PreferenceLossSums Evaluate(IReadOnlyList<PreferenceExample> examples)
    {
        if (examples.Count == 0) return default;
        double z = ReferencePoint(examples), scale = 1.0 / _objective.Units(examples);
        TrainingSequence[] sequences = [.. examples.SelectMany(e => e.Responses)];
        double[] policy = ReferenceLogProbs.Sums(_model, sequences, _config.MicroBatchTokens, _device);
        if (_objective.Reduction == SequenceReduction.Mean) for (int i = 0; i < policy.Length; i++) policy[i] /= sequences[i].ResponseLength;
        return _objective.Evaluate(examples, policy, Reference(examples), z, scale, new double[policy.Length]);
    }

    private PreferenceLossSums MicroBatch(PreferenceExample[] examples, double referencePoint, double scale)
    {
        using DisposeScope scope = NewDisposeScope();
        CollatedBatch collated = CollatedBatch.Create([.. examples.SelectMany(e => e.Responses)], _device);
        Tensor states = _model.Hidden(collated.Inputs); // [responses, time, hidden]
        Tensor chosen = states.reshape(-1, states.shape[2]).index_select(0, collated.Positions); // [tokens, hidden]
        HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, 1, withEntropy: false, forBackward: true);
        double[] tokens = [.. forward.LogProbs.Select(p => (double)p)];
        bool[] mask = new bool[tokens.Length];
        Array.Fill(mask, true);
        double[] reduced = new double[collated.Offsets.Length - 1], perResponse = new double[reduced.Length], perToken = new double[tokens.Length];
        SequenceLogProbs.Reduce(_objective.Reduction, collated.Offsets, mask, tokens, reduced);
        PreferenceLossSums sums = _objective.Evaluate(examples, reduced, Reference(examples), referencePoint, scale, perResponse);
        SequenceLogProbs.SpreadGradient(_objective.Reduction, collated.Offsets, mask, perResponse, perToken);
        autograd.backward(chosen, _head.Backward(forward, [.. perToken.Select(g => (float)g)], []));
        return sums;
    }

    /// <summary>[responses] of the reference, reduced as the policy's.</summary>
    private double[] Reference(IReadOnlyList<PreferenceExample> examples)
    {
        if (!_objective.NeedsReference) return new double[examples.Sum(e => e.Responses.Length)];
        return [.. examples.SelectMany(e => e.Reference.Select((sum, i) => _objective.Reduction == SequenceReduction.Sum ? sum : sum / e.Responses[i].ResponseLength))];
    }

    /// <summary>z over the whole step, without gradient.</summary>
    private double ReferencePoint(IReadOnlyList<PreferenceExample> examples)
    {
        if (!_objective.NeedsReferencePoint) return 0;
        PreferenceExample[] partnered = [.. examples.Where(e => e.Mismatched is not null)];
        double[] policy = ReferenceLogProbs.Sums(_model, [.. partnered.Select(e => e.Mismatched!.Value)], _config.MicroBatchTokens, _device);
        return Kto.ReferencePoint(policy, [.. partnered.Select(e => e.MismatchedReference)]);
    }

    private List<int[]> Cut(IReadOnlyList<PreferenceExample> batch) =>
        ExampleCut.ByTokens([.. batch.Select(e => e.Responses.Select(r => r.Tokens.Length).ToArray())], _config.MicroBatchTokens);

    public void Dispose() => Optimizer.Dispose();
}

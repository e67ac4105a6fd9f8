using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Supervised fine-tuning: L = −(1/N) Σ log π(xₜ | x₍&lt;t₎) over the N trained tokens of a batch, however it is cut into micro-batches.
/// </summary>
public sealed class SftTrainer : IDisposable
{
    private readonly LlamaModel _model;
    private readonly SftConfig _config;
    private readonly LanguageModelHead _head;
    private readonly Device _device;

    public SftTrainer(LlamaModel model, SftConfig config)
    {
        (_model, _config) = (model, config);
        _device = device(config.Device);
        _head = ModelParts.Head(model);
        Optimizer = ModelParts.Optimizer(model, config.Optimizer);
    }

    public AdamW Optimizer { get; }

    /// <summary>One optimiser step on the sequences.</summary>
    /// <returns>Mean negative log-likelihood in nats per token, and the gradient's norm before clipping.</returns>
    public (double Loss, double GradientNorm) Step(IReadOnlyList<TrainingSequence> batch, double progress)
    {
        long tokens = batch.Sum(s => (long)s.ResponseLength);
        double loss = 0;
        List<long> bad = [];
        for (int start = 0; start < batch.Count; start += _config.MicroBatchSize)
        {
            TrainingSequence[] rows = [.. batch.Skip(start).Take(_config.MicroBatchSize)];
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch collated = CollatedBatch.Create(rows, _device);
            Tensor states = _model.Hidden(collated.Inputs); // [batch, time, hidden]
            Tensor chosen = states.reshape(-1, states.shape[2]).index_select(0, collated.Positions); // [tokens, hidden]
            HeadForward forward = _head.Forward(chosen.detach(), collated.Targets, 1, withEntropy: false, forBackward: true);
            double sum = forward.LogProbs.Sum(p => (double)p);
            loss -= sum / tokens;
            if (!double.IsFinite(sum)) bad.AddRange(rows.Select(r => r.Row));
            float[] gradient = new float[forward.LogProbs.Length];
            Array.Fill(gradient, -1f / tokens);
            Tensor stateGradient = _head.Backward(forward, gradient, []);
            autograd.backward(chosen, stateGradient);
        }

        if (!double.IsFinite(loss))
        {
            throw new NumericalException($"The loss is {loss} at optimiser step {Optimizer.Step + 1}, {NumericalGuard.Rows(bad.Count > 0 ? bad : batch.Select(s => s.Row))} of the training data (blocks, where text is packed); no step was taken.{ModelParts.NonFinite(_model)} Lower optimizer.learning_rate.");
        }

        return (loss, Optimizer.TakeStep(LearningRate.At(_config.Optimizer, Optimizer.Step, progress)));
    }

    /// <summary>Sum of −log π in nats and number of tokens, without training.</summary>
    public (double Nats, long Tokens) Evaluate(IEnumerable<TrainingSequence> sequences) => ModelParts.NegativeLogLikelihood(_model, _head, sequences, _config.MicroBatchSize, _device);

    public void Dispose() => Optimizer.Dispose();
}

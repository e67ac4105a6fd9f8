using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Trains a scalar head (and its trunk) on labels, scores, comparisons or rankings. The objective is a pure function of the scores; all texts
/// of one example share a micro-batch, and every example weighs 1/batch, so the loss does not depend on the cut.
/// </summary>
public sealed class RewardModelTrainer : IDisposable
{
    private readonly LlamaModel _model;
    private readonly RewardModelConfig _config;
    private readonly Device _device;
    private readonly RewardScorer _scorer;

    public RewardModelTrainer(LlamaModel model, RewardModelConfig config)
    {
        (_model, _config) = (model, config);
        _device = device(config.Device);
        _scorer = new RewardScorer(model, config);
        Optimizer = ModelParts.Optimizer(model, config.Optimizer);
    }

    public AdamW Optimizer { get; }

    /// <summary>Loss of the last step's second pass, with embeddings moved along the gradient; NaN without adversarial training.</summary>
    public double AdversarialLoss { get; private set; } = double.NaN;

    /// <summary>One optimiser step.</summary>
    /// <returns>Mean loss an example, and the gradient's norm before clipping.</returns>
    public (double Loss, double GradientNorm) Step(IReadOnlyList<RewardExample> batch, uint epoch, double progress)
    {
        int[][][] texts = [.. batch.Select(e => _scorer.Texts(e, training: true, epoch))];
        double loss = Pass(batch, texts, epoch, 1);
        if (_config.AdversarialEpsilon > 0)
        {
            using EmbeddingPerturbation moved = new(_model, _config.AdversarialEpsilon);
            AdversarialLoss = Pass(batch, texts, epoch, _config.AdversarialWeight);
        }

        if (!double.IsFinite(loss)) throw new NumericalException($"The reward-model loss is {loss} at optimiser step {Optimizer.Step + 1}, {NumericalGuard.Rows(batch.Select(e => e.Row))} of the data; no step was taken.{ModelParts.NonFinite(_model)} Lower optimizer.learning_rate or look for NaN in the labels.");
        return (loss, Optimizer.TakeStep(LearningRate.At(_config.Optimizer, Optimizer.Step, progress)));
    }

    // Forward and backward over the whole step; gradients are added, times the weight. Returns the loss itself.
    private double Pass(IReadOnlyList<RewardExample> batch, int[][][] texts, uint epoch, double weight)
    {
        double loss = 0;
        RewardScale scale = RewardScale.Of(batch);
        foreach (int[] cut in _scorer.Cut(texts))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor scores = _scorer.Forward([.. cut.SelectMany(i => texts[i])], RewardScorer.Ends(batch, cut), Dropout(batch, cut, epoch)); // [texts], or [steps]
            double[] values = RewardScorer.Doubles(scores), gradient = new double[values.Length];
            int[] offsets = RaggedOffsets.FromLengths([.. cut.Select(i => texts[i].Length)]);
            loss += RewardObjectives.Evaluate(_config, values, offsets, [.. cut.SelectMany(i => batch[i].StepLabels ?? [batch[i].Label])], scale, gradient);
            if (weight != 1)
            {
                for (int i = 0; i < gradient.Length; i++) gradient[i] *= weight;
            }

            autograd.backward(scores, tensor(gradient).to(scores.dtype).to(_device));
        }

        return loss;
    }

    // [texts] or [steps] by [hidden]; null without dropout.
    private Tensor? Dropout(IReadOnlyList<RewardExample> examples, int[] cut, uint epoch)
    {
        if (_config.Dropout == 0) return null;
        int width = _model.Config.HiddenSize;
        uint[] addresses = [.. cut.SelectMany(i => Enumerable.Range(0, examples[i].StepEnds?.Length ?? examples[i].Texts.Length).Select(t => PooledDropout.Address(examples[i].Row, t)))];
        return tensor(PooledDropout.Factors(_config.Dropout, _config.Seed, epoch, addresses, width), addresses.Length, width).to(_device);
    }

    /// <summary>Scores of every text (or step) of every example, without training, in the order of the examples.</summary>
    public double[][] Evaluate(IReadOnlyList<RewardExample> examples) => _scorer.Evaluate(examples);

    public void Dispose() => Optimizer.Dispose();
}

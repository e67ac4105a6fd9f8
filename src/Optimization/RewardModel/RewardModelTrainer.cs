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

    public RewardModelTrainer(LlamaModel model, RewardModelConfig config)
    {
        (_model, _config) = (model, config);
        _device = device(config.Device);
        Optimizer = ModelParts.Optimizer(model, config.Optimizer);
    }

    public AdamW Optimizer { get; }

    /// <summary>One optimiser step.</summary>
    /// <returns>Mean loss an example, and the gradient's norm before clipping.</returns>
    public (double Loss, double GradientNorm) Step(IReadOnlyList<RewardExample> batch, uint epoch, double progress)
    {
        double loss = 0;
        int[][][] texts = [.. batch.Select(e => Texts(e, training: true, epoch))];
        foreach (int[] cut in Cut(texts))
        {
            using DisposeScope scope = NewDisposeScope();
            int[][] flat = [.. cut.SelectMany(i => texts[i])];
            Tensor scores = Forward(flat, training: true); // [texts]
            double[] values = Doubles(scores), gradient = new double[values.Length];
            int[] offsets = RaggedOffsets.FromLengths([.. cut.Select(i => texts[i].Length)]);
            loss += RewardObjectives.Evaluate(_config, values, offsets, [.. cut.Select(i => batch[i].Label)], 1.0 / batch.Count, gradient);
            autograd.backward(scores, tensor(gradient).to(scores.dtype).to(_device));
        }

        if (!double.IsFinite(loss)) throw new NumericalException($"The reward-model loss is {loss} at optimiser step {Optimizer.Step + 1}.{ModelParts.NonFinite(_model)} Lower optimizer.learning_rate or look for NaN in the labels.");
        return (loss, Optimizer.TakeStep(LearningRate.At(_config.Optimizer, Optimizer.Step, progress)));
    }

    /// <summary>Scores of every text of every example, without training, in the order of the examples.</summary>
    public double[][] Evaluate(IReadOnlyList<RewardExample> examples, Action<int>? done = null)
    {
        using IDisposable noGrad = no_grad();
        double[][] scores = new double[examples.Count][];
        int[][][] texts = [.. examples.Select(e => Texts(e, training: false, 0))];
        int count = 0;
        foreach (int[] cut in Cut(texts))
        {
            using DisposeScope scope = NewDisposeScope();
            double[] values = Doubles(Forward([.. cut.SelectMany(i => texts[i])], training: false));
            int at = 0;
            foreach (int i in cut)
            {
                scores[i] = values[at..(at + texts[i].Length)];
                at += texts[i].Length;
            }

            done?.Invoke(count += cut.Length);
        }

        return scores;
    }

    private int[][] Texts(RewardExample example, bool training, uint epoch) =>
        [.. example.Texts.Select((t, i) => RewardAugmentation.Apply(t, _config, _model.Config.VocabSize, training, epoch, example.Row, (uint)i))];

    private List<int[]> Cut(int[][][] texts) => ExampleCut.ByTokens([.. texts.Select(t => t.Select(x => x.Length).ToArray())], _config.MicroBatchTokens);

    private Tensor Forward(int[][] texts, bool training)
    {
        int time = texts.Max(t => t.Length);
        long[] ids = new long[texts.Length * time];
        for (int row = 0; row < texts.Length; row++)
        {
            for (int i = 0; i < texts[row].Length; i++) ids[(row * time) + i] = texts[row][i];
        }

        Tensor states = _model.Hidden(tensor(ids, texts.Length, time).to(_device));
        return _model.Score(states, tensor(texts.Select(t => (long)t.Length).ToArray()).to(_device), training ? _config.Dropout : 0);
    }

    private static double[] Doubles(Tensor scores) => [.. PolicyScorer.HostFloats(scores).Select(s => (double)s)];

    public void Dispose() => Optimizer.Dispose();
}

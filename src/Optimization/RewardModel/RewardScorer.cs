using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>A reward model's scores of examples, as it is; it needs neither gradients nor an optimiser.</summary>
/// <param name="model">With a scalar head.</param>
/// <param name="config">Objective, lengths and micro-batches.</param>
public sealed class RewardScorer(LlamaModel model, RewardModelConfig config)
{
    private readonly Device _device = device(config.Device);

    /// <summary>Scores of every text (or step) of every example, without training, in the order of the examples.</summary>
    public double[][] Evaluate(IReadOnlyList<RewardExample> examples)
    {
        using IDisposable noGrad = no_grad();
        double[][] scores = new double[examples.Count][];
        int[][][] texts = [.. examples.Select(e => Texts(e, training: false, 0))];
        foreach (int[] cut in Cut(texts))
        {
            using DisposeScope scope = NewDisposeScope();
            double[] values = Doubles(Forward([.. cut.SelectMany(i => texts[i])], Ends(examples, cut), null));
            int at = 0;
            foreach (int i in cut)
            {
                int own = examples[i].StepEnds?.Length ?? texts[i].Length;
                scores[i] = values[at..(at + own)];
                at += own;
            }
        }

        return scores;
    }

    // Process rewards: (row, position) of every step's last token.
    internal static (int Row, int Position)[]? Ends(IReadOnlyList<RewardExample> examples, int[] cut) =>
        examples[cut[0]].StepEnds is null ? null : [.. cut.SelectMany((i, row) => examples[i].StepEnds!.Select(p => (row, p)))];

    internal int[][] Texts(RewardExample example, bool training, uint epoch) =>
        [.. example.Texts.Select((t, i) => RewardAugmentation.Apply(t, config, model.Config.VocabSize, training, epoch, example.Row, (uint)i, model.Config.PadTokenId ?? 0))];

    internal List<int[]> Cut(int[][][] texts) => ExampleCut.ByTokens([.. texts.Select(t => t.Select(x => x.Length).ToArray())], config.MicroBatchTokens);

    internal Tensor Forward(int[][] texts, (int Row, int Position)[]? ends, Tensor? factors)
    {
        int time = texts.Max(t => t.Length);
        long[] ids = new long[texts.Length * time];
        for (int row = 0; row < texts.Length; row++)
        {
            for (int i = 0; i < texts[row].Length; i++) ids[(row * time) + i] = texts[row][i];
        }

        Tensor states = model.Hidden(tensor(ids, texts.Length, time).to(_device)); // [texts, time, hidden]
        if (ends is null) return model.Score(states, tensor(texts.Select(t => (long)t.Length).ToArray()).to(_device), factors);

        // A step is judged where it ends: each such state is a text of one token.
        Tensor places = tensor(ends.Select(e => ((long)e.Row * time) + e.Position).ToArray()).to(_device);
        Tensor chosen = states.reshape((long)texts.Length * time, states.shape[2]).index_select(0, places).unsqueeze(1); // [steps, 1, hidden]
        return model.Score(chosen, ones(ends.Length, ScalarType.Int64, _device), factors);
    }

    internal static double[] Doubles(Tensor scores) => [.. PolicyScorer.HostFloats(scores).Select(s => (double)s)];
}

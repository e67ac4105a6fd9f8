using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Export;

/// <summary>The trainer's side of the gate.</summary>
public interface IGateReference
{
    /// <summary>float32 logits of every position, [tokens × vocabulary].</summary>
    float[] Logits(ReadOnlySpan<long> tokens);

    /// <summary>The residual stream: embeddings first, then after each layer; each [tokens × hidden], before the final norm.</summary>
    IReadOnlyList<float[]> HiddenStates(ReadOnlySpan<long> tokens);
}

/// <summary>
/// Holds an exported policy against the trainer's weights before anything is drawn from it: a speed-up without an equality gate is
/// worthless. Passes when mean |Δp| &lt; 0.005 and mean exp|Δ log p| &lt; 1.01 over the tokens of the probes; otherwise names the first
/// layer whose residual stream differs.
/// </summary>
public static class EqualityGate
{
    /// <summary>Relative error of a residual stream, max |Δ| / max |x|, that counts as different: a hundred times float32 noise.</summary>
    private const double HiddenLimit = 1e-3;

    /// <summary>Compares log-probabilities of the same tokens by two engines.</summary>
    /// <param name="reference">log p of each token by the trainer.</param>
    /// <param name="exported">log p of the same tokens by the exported model.</param>
    public static GateResult Compare(ReadOnlySpan<float> reference, ReadOnlySpan<float> exported)
    {
        if (reference.Length != exported.Length || reference.Length == 0)
            throw new ArgumentException($"{reference.Length} against {exported.Length} log-probabilities; expected equally many and at least one.", nameof(exported));
        double probability = 0, ratio = 0, worst = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double difference = Math.Abs((double)reference[i] - exported[i]);
            probability += Math.Abs(Math.Exp(reference[i]) - Math.Exp(exported[i]));
            ratio += Math.Exp(difference);
            worst = double.IsNaN(difference) ? double.NaN : Math.Max(worst, difference);
        }

        return new(reference.Length, probability / reference.Length, ratio / reference.Length, worst);
    }

    /// <summary>log softmax(logits)[target] of each row, in float64.</summary>
    /// <param name="logits">[rows × vocabulary].</param>
    /// <param name="targets">One token a row.</param>
    public static float[] LogProbs(ReadOnlySpan<float> logits, ReadOnlySpan<long> targets)
    {
        int vocabulary = logits.Length / targets.Length;
        float[] result = new float[targets.Length];
        for (int row = 0; row < targets.Length; row++)
        {
            ReadOnlySpan<float> line = logits.Slice(row * vocabulary, vocabulary);
            double max = double.NegativeInfinity, sum = 0;
            foreach (float x in line) max = Math.Max(max, x);
            foreach (float x in line) sum += Math.Exp(x - max);
            result[row] = (float)(line[(int)targets[row]] - max - Math.Log(sum));
        }

        return result;
    }

    /// <summary>Runs the probes through folder/model.onnx and through the trainer.</summary>
    /// <param name="folder">An exported policy.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="probes">Token rows of at least two tokens; each token after the first is compared.</param>
    /// <param name="reference">The trainer.</param>
    /// <returns>The measured distances, when they pass.</returns>
    /// <exception cref="NumericalException">They do not pass; the message names the first layer that differs.</exception>
    public static GateResult Check(string folder, ModelShape shape, IReadOnlyList<long[]> probes, IGateReference reference)
    {
        List<float> trained = [], exported = [];
        using (SessionOptions options = new())
        using (ProbeSession session = ProbeSession.Open(Path.Combine(folder, OnnxExporter.Model), options, shape))
        {
            foreach (long[] probe in probes)
            {
                if (probe.Length < 2) throw new ArgumentException($"A probe has {probe.Length} tokens; expected at least 2.", nameof(probes));
                int rows = probe.Length - 1;
                trained.AddRange(LogProbs(reference.Logits(probe).AsSpan(0, rows * shape.VocabularySize), probe.AsSpan(1)));
                exported.AddRange(LogProbs(session.Run(probe, ["logits"])[0].AsSpan(0, rows * shape.VocabularySize), probe.AsSpan(1)));
            }
        }

        GateResult result = Compare(trained.ToArray(), exported.ToArray());
        if (result.Passed) return result;
        string where = FirstDifference(folder, shape, probes[0], reference) is { } layer
            ? $"The first difference is {layer}."
            : "Every layer's residual stream agrees, so the difference is in the final norm or the vocabulary head.";
        throw new NumericalException(string.Create(CultureInfo.InvariantCulture,
            $"{folder}: the exported policy is not the trained one: over {result.Tokens} tokens mean |Δp| is {result.MeanProbabilityDifference:G4} (limit {GateResult.ProbabilityLimit}), mean exp|Δlogp| {result.MeanRatio:G5} (limit {GateResult.RatioLimit}), max |Δlogp| {result.MaxLogProbDifference:G4}. {where} Export again from the trainer's weights; rollouts of this policy must not be trained on."));
    }

    /// <summary>Compares the residual stream layer by layer; null when all agree.</summary>
    /// <param name="reference">Embeddings, then after each layer.</param>
    /// <param name="exported">The same of the exported model.</param>
    public static string? FirstDifference(IReadOnlyList<float[]> reference, IReadOnlyList<float[]> exported)
    {
        for (int i = 0; i < Math.Min(reference.Count, exported.Count); i++)
        {
            string name = i == 0 ? "the embedding (/model/embed_tokens)" : $"layer {i - 1} (/model/layers.{i - 1})";
            if (reference[i].Length != exported[i].Length) return $"{name}: {reference[i].Length} numbers against {exported[i].Length}";
            double size = 0, worst = 0;
            for (int j = 0; j < reference[i].Length; j++)
            {
                double difference = Math.Abs((double)reference[i][j] - exported[i][j]);
                size = Math.Max(size, Math.Abs(reference[i][j]));
                worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
            }

            if (worst > HiddenLimit * Math.Max(size, 1e-6))
                return string.Create(CultureInfo.InvariantCulture, $"{name}: max |Δ| {worst:G4} where the largest number is {size:G4}");
        }

        return null;
    }

    private static string? FirstDifference(string folder, ModelShape shape, long[] probe, IGateReference reference)
    {
        WeightMap map = WeightMap.ForPolicy(shape);
        byte[] debug = PolicyGraph.Build(map, GraphStyle.Default, lastOnly: false, hiddenOutputs: true).ToModel(new DataLayout(map));
        using SessionOptions options = new();
        using ProbeSession session = ProbeSession.Open(debug, folder, options, shape);
        return FirstDifference(reference.HiddenStates(probe), session.Run(probe, [.. Enumerable.Range(-1, shape.Layers + 1).Select(layer => $"hidden.{layer}")]));
    }
}

using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>scorer.onnx: log-probabilities and entropies of chosen tokens.</summary>
public sealed class ScorerGraphTests
{
    private const double Tolerance = 1e-4;

    [TestCase(true, 16, 1.0f)]
    [TestCase(false, 8, 0.7f)]
    public void LogProbsAndEntropiesAreThoseOfTheLoops(bool tied, int headSize, float temperature)
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape(headSize: headSize, tied: tied));
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"), new() { ScorerEntropy = true });
        int[] lengths = [12, 3, 8];
        const int sequence = 12;
        (long[] ids, long[][] rows) = Pad(lengths, sequence, model.Shape.VocabularySize);
        List<long> positions = [], targets = [];
        List<double> logProbs = [], entropies = [];
        for (int b = 0; b < 3; b++)
        {
            double[][] logits = NaiveLlama.Logits(model, rows[b]);
            for (int t = 1; t < lengths[b]; t++)
            {
                positions.Add((b * sequence) + t - 1);
                targets.Add(rows[b][t]);
                double[] all = NaiveLlama.LogSoftmax(logits[t - 1], temperature);
                logProbs.Add(all[rows[b][t]]);
                entropies.Add(-all.Sum(p => Math.Exp(p) * p));
            }
        }

        (float[] foundLogProbs, float[] foundEntropies) = Run(File.ReadAllBytes(folder.In("policy/scorer.onnx")), folder.In("policy"), ids, lengths, sequence,
            [.. positions], [.. targets], temperature);
        Assert.Multiple(() =>
        {
            Assert.That(TestFolder.Worst(foundLogProbs, logProbs), Is.LessThan(Tolerance), "log-probabilities");
            Assert.That(TestFolder.Worst(foundEntropies, entropies), Is.LessThan(Tolerance), "entropies");
        });
    }

    [Test]
    public void ChunksOfAnySizeGiveTheSame([Values(1, 3, 4, 7, 1000)] int chunk)
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape());
        WeightMap map = WeightMap.ForPolicy(model.Shape);
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        (long[] ids, _) = Pad([9], 9, model.Shape.VocabularySize);
        long[] rows = [0, 1, 2, 3, 4, 5, 7], targets = [4, 60, 0, 3, 9, 9, 1];
        byte[] Model(int c) => ScorerGraph.Build(map, GraphStyle.Default, c, withEntropy: true).ToModel(new DataLayout(map));
        (float[] whole, float[] wholeEntropy) = Run(Model(0), folder.In("policy"), ids, [9], 9, rows, targets, 1);
        (float[] cut, float[] cutEntropy) = Run(Model(chunk), folder.In("policy"), ids, [9], 9, rows, targets, 1);
        Assert.That(TestFolder.Worst(cut, [.. whole.Select(x => (double)x)]), Is.LessThan(2e-6));
        Assert.That(TestFolder.Worst(cutEntropy, [.. wholeEntropy.Select(x => (double)x)]), Is.LessThan(2e-6));
    }

    private static (long[] Ids, long[][] Rows) Pad(int[] lengths, int sequence, int vocabulary)
    {
        long[] ids = new long[lengths.Length * sequence];
        long[][] rows = [.. lengths.Select((length, b) => TinyModel.Tokens(length, vocabulary, (uint)b))];
        ids.AsSpan().Fill(3);
        for (int b = 0; b < rows.Length; b++) rows[b].CopyTo(ids.AsSpan(b * sequence));
        return (ids, rows);
    }

    internal static (float[] LogProbs, float[] Entropies) Run(
        byte[] model, string folder, long[] ids, int[] lengths, int sequence, long[] rows, long[] targets, float temperature, bool entropy = true)
    {
        string path = Path.Combine(folder, "test.onnx");
        File.WriteAllBytes(path, model);
        using InferenceSession session = Decoder.Open(path);
        using RunOptions run = new();
        using OrtValue i = OrtValue.CreateTensorValueFromMemory(ids, [lengths.Length, sequence]);
        using OrtValue l = OrtValue.CreateTensorValueFromMemory(lengths, [lengths.Length]);
        using OrtValue r = OrtValue.CreateTensorValueFromMemory(rows, [rows.Length]);
        using OrtValue t = OrtValue.CreateTensorValueFromMemory(targets, [targets.Length]);
        using OrtValue temp = OrtValue.CreateTensorValueFromMemory(new[] { temperature }, []);
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(
            run, ["input_ids", "lengths", "rows", "targets", "temperature"], [i, l, r, t, temp], entropy ? ["logprobs", "entropy"] : ["logprobs"]);
        return (outputs[0].GetTensorDataAsSpan<float>().ToArray(), entropy ? outputs[1].GetTensorDataAsSpan<float>().ToArray() : []);
    }
}

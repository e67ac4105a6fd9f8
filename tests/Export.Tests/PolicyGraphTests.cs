using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>model.onnx and rollout.onnx through ONNX Runtime against the float64 loops.</summary>
public sealed class PolicyGraphTests
{
    /// <summary>float32 products of some hundred terms of size one: about 1e-6 each; observed below 2e-5.</summary>
    private const double Tolerance = 1e-4;

    private static IEnumerable<TestCaseData> Shapes()
    {
        yield return new TestCaseData(4, 2, 16, true, false, 10000.0).SetName("grouped, tied");
        yield return new TestCaseData(4, 4, 8, true, true, 10000.0).SetName("head size 8, biases");
        yield return new TestCaseData(4, 1, 24, false, false, 500000.0).SetName("one key head, head size 24, untied, large theta");
        yield return new TestCaseData(2, 2, 32, false, true, 100.0).SetName("head size 32, untied, biases, small theta");
        yield return new TestCaseData(3, 1, 64, true, true, 10000.0).SetName("head size 64, three queries a key");
    }

    [TestCaseSource(nameof(Shapes))]
    public void LogitsAreThoseOfTheLoops(int heads, int keyValueHeads, int headSize, bool tied, bool bias, double theta)
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape(heads, keyValueHeads, headSize, tied, bias, theta));
        ModelShape shape = model.Shape;
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        const int batch = 3, sequence = 11, capacity = 20, steps = 5;
        int[] lengths = [11, 1, 7];

        // Rows of different length, right-padded with a token that is in the vocabulary; then greedy-free forced tokens one at a time.
        long[][] rows = [.. lengths.Select((length, b) => TinyModel.Tokens(length + steps, shape.VocabularySize, (uint)b))];
        double[][][] expected = [.. rows.Select(row => NaiveLlama.Logits(model, row))];
        long[] prompt = new long[batch * sequence];
        for (int b = 0; b < batch; b++)
        {
            prompt.AsSpan(b * sequence, sequence).Fill(5);
            rows[b].AsSpan(0, lengths[b]).CopyTo(prompt.AsSpan(b * sequence));
        }

        using Decoder full = new(Decoder.Open(folder.In("policy/model.onnx")), shape, batch, capacity);
        using Decoder last = new(folder.In("policy/rollout.onnx"), shape, batch, capacity);
        float[] all = full.Step(prompt, lengths, sequence), lastLogits = last.Step(prompt, lengths, sequence);
        int v = shape.VocabularySize;
        for (int b = 0; b < batch; b++)
        {
            for (int t = 0; t < lengths[b]; t++)
            {
                Assert.That(TestFolder.Worst(all.AsSpan(((b * sequence) + t) * v, v), expected[b][t]), Is.LessThan(Tolerance), $"prompt row {b}, position {t}");
            }

            Assert.That(TestFolder.Worst(lastLogits.AsSpan(b * v, v), expected[b][lengths[b] - 1]), Is.LessThan(Tolerance), $"last of row {b}");
        }

        for (int step = 0; step < steps; step++)
        {
            int[] now = [.. lengths.Select(length => length + step + 1)];
            long[] next = [.. rows.Select((row, b) => row[now[b] - 1])];
            float[] logits = full.Step(next, now, now.Max()), same = last.Step(next, now, now.Max());
            for (int b = 0; b < batch; b++)
            {
                Assert.That(TestFolder.Worst(logits.AsSpan(b * v, v), expected[b][now[b] - 1]), Is.LessThan(Tolerance), $"step {step}, row {b}");
                Assert.That(TestFolder.Worst(same.AsSpan(b * v, v), expected[b][now[b] - 1]), Is.LessThan(Tolerance), $"rollout step {step}, row {b}");
            }
        }
    }

    [Test]
    public void ARowGivesTheSameAloneAndPadded()
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape());
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        int v = model.Shape.VocabularySize;
        long[] a = TinyModel.Tokens(4, v, 1), b = TinyModel.Tokens(9, v, 2);
        using Decoder together = new(folder.In("policy/rollout.onnx"), model.Shape, 2, 16);
        using Decoder alone = new(folder.In("policy/rollout.onnx"), model.Shape, 1, 16);
        float[] both = together.Step([.. a, 0, 0, 0, 0, 0, .. b], [4, 9], 9);
        float[] one = alone.Step(a, [4], 4);
        // Different GEMM row counts may round differently in the last bits.
        Assert.That(TestFolder.Worst(both.AsSpan(0, v), [.. one.Select(x => (double)x)]), Is.LessThan(2e-6));
    }

    [Test]
    public void SecondPromptContinuesTheFirst()
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape());
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        int v = model.Shape.VocabularySize;
        long[] tokens = TinyModel.Tokens(10, v);
        double[][] expected = NaiveLlama.Logits(model, tokens);
        using Decoder decoder = new(folder.In("policy/rollout.onnx"), model.Shape, 1, 16);
        decoder.Step(tokens[..6], [6], 6);
        Assert.That(TestFolder.Worst(decoder.Step(tokens[6..], [10], 10), expected[9]), Is.LessThan(Tolerance));
    }
}

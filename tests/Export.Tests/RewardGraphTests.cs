using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>Reward folders: pooling, gain and bias inside the graph.</summary>
public sealed class RewardGraphTests
{
    private const double Tolerance = 1e-4;

    [Test]
    public void ScoresAreThoseOfTheLoops([Values] ScorePooling pooling, [Values] bool scoreBias, [Values(8, 16)] int headSize)
    {
        ModelShape shape = TinyModel.SmallShape(headSize: headSize) with { Pooling = pooling, ScoreBias = scoreBias, RewardGain = 1.5, RewardBias = -0.25 };
        TinyModel model = TinyModel.Random(shape, scoreHead: true);
        using TestFolder folder = new();
        OnnxExporter.ExportReward(model, folder.Path, folder.In("reward"), new() { Label = "P(positive)" });
        const int sequence = 10;
        int[] lengths = [10, 1, 6];
        long[] ids = new long[lengths.Length * sequence];
        double[] expected = new double[lengths.Length];
        float[] w = model.Parameters["score.weight"];
        for (int b = 0; b < lengths.Length; b++)
        {
            long[] row = TinyModel.Tokens(lengths[b], shape.VocabularySize, (uint)b);
            row.CopyTo(ids.AsSpan(b * sequence));
            double[] perToken = [.. NaiveLlama.Hidden(model, row).Select(h => h.Select((x, i) => x * w[i]).Sum())];
            double pooled = pooling == ScorePooling.Last ? perToken[^1] : perToken.Average();
            expected[b] = (1.5 * (pooled + (scoreBias ? model.Parameters["score.bias"][0] : 0))) - 0.25;
        }

        using InferenceSession session = Decoder.Open(folder.In("reward/model.onnx"));
        using RunOptions run = new();
        using OrtValue i = OrtValue.CreateTensorValueFromMemory(ids, [lengths.Length, sequence]);
        using OrtValue l = OrtValue.CreateTensorValueFromMemory(lengths, [lengths.Length]);
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(run, ["input_ids", "lengths"], [i, l], ["scores"]);
        Assert.That(TestFolder.Worst(outputs[0].GetTensorDataAsSpan<float>(), expected), Is.LessThan(Tolerance));

        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(folder.In("reward/rlhf_config.json")));
        Assert.Multiple(() =>
        {
            Assert.That(config.RootElement.GetProperty("label").GetString(), Is.EqualTo("P(positive)"));
            Assert.That(config.RootElement.GetProperty("pooling").GetString(), Is.EqualTo(pooling == ScorePooling.Last ? "last" : "mean"));
            Assert.That(config.RootElement.GetProperty("max_length").GetInt32(), Is.EqualTo(64));
            Assert.That(File.Exists(folder.In("reward/tokenizer.json")));
        });
    }
}

using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Export.Tests;

/// <summary>The manifest of initializers: what is a copy, what moves numbers, and the hand-over without a file.</summary>
public sealed class WeightMapTests
{
    [Test]
    public void ConcatenationAndPaddingAreExact()
    {
        // One query head and one key head of size 2 over hidden size 1: q = (1, 2), k = (3, 4), v = (5, 6); every half is padded to 8.
        ModelShape shape = new() { VocabularySize = 2, HiddenSize = 1, IntermediateSize = 1, Layers = 1, Heads = 1, KeyValueHeads = 1, HeadSize = 2, MaxPositions = 2, TiedHead = true };
        TinyModel model = new(shape);
        model.Parameters["model.layers.0.self_attn.q_proj.weight"] = [1, 2];
        model.Parameters["model.layers.0.self_attn.k_proj.weight"] = [3, 4];
        model.Parameters["model.layers.0.self_attn.v_proj.weight"] = [5, 6];
        WeightEntry entry = WeightMap.ForPolicy(shape)["model.layers.0.self_attn.qkv_proj.weight"];
        float[] filled = new float[entry.Count];
        Array.Fill(filled, 9);
        entry.Fill(model, filled);
        float[] expected = new float[48];
        (expected[0], expected[8], expected[16], expected[24], expected[32], expected[40]) = (1, 2, 3, 4, 5, 6);
        Assert.That(filled, Is.EqualTo(expected));
        Assert.That(entry.PureCopyOf, Is.Null);
    }

    [Test]
    public void MostWeightsArePureCopies()
    {
        WeightMap map = WeightMap.ForPolicy(TinyModel.SmallShape());
        Assert.That(map["model.embed_tokens.weight"].PureCopyOf, Is.EqualTo("model.embed_tokens.weight"));
        Assert.That(map["model.layers.0.mlp.down_proj.weight"].PureCopyOf, Is.EqualTo("model.layers.0.mlp.down_proj.weight"));
        Assert.That(map["model.layers.0.self_attn.o_proj.weight"].PureCopyOf, Is.EqualTo("model.layers.0.self_attn.o_proj.weight"));
    }

    [Test]
    public void WrongSizesAndNumbersAreRefusedAndLeaveTheOldFolder()
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape());
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        string before = OnnxFolder.Open(folder.In("policy")).WeightsHash();

        float[] norm = model.Parameters["model.norm.weight"];
        model.Parameters["model.norm.weight"] = norm[1..];
        Assert.That(() => OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy")),
            Throws.TypeOf<BadModelException>().With.Message.Contains("Parameter 'model.norm.weight' has 39 numbers; the configuration asks for 40"));
        model.Parameters["model.norm.weight"] = norm;
        norm[3] = float.NaN;
        Assert.That(() => OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy")),
            Throws.TypeOf<NumericalException>().With.Message.Contains("Weight 'model.norm.weight' holds NaN at index 3 of 40"));
        norm[3] = float.NegativeInfinity;
        Assert.That(() => OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy")), Throws.TypeOf<NumericalException>());
        File.Delete(folder.In("tokenizer.json"));
        Assert.That(() => OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy")), Throws.TypeOf<BadModelException>().With.Message.Contains("no tokenizer.json"));

        Assert.That(OnnxFolder.Open(folder.In("policy")).WeightsHash(), Is.EqualTo(before));
        Assert.That(Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName), Is.EqualTo(new[] { "policy" }));
    }

    [Test]
    public void WeightsHandedOverReplaceThoseOfTheFolder([Values(8, 16)] int headSize)
    {
        ModelShape shape = TinyModel.SmallShape(headSize: headSize);
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(TinyModel.Random(shape, seed: 1), folder.Path, folder.In("policy"));
        TinyModel model = TinyModel.Random(shape, seed: 2);
        WeightMap map = WeightMap.ForPolicy(shape);
        using SessionOptions options = new();
        List<OrtValue> held = [];
        foreach (WeightEntry entry in map.Entries)
        {
            float[] values = new float[entry.Count];
            entry.Fill(model, values);
            held.Add(OrtValue.CreateTensorValueFromMemory(values, [.. entry.Dimensions]));
            options.AddInitializer(entry.Initializer, held[^1]);
        }

        using Decoder decoder = new(new InferenceSession(folder.In("policy/model.onnx"), options), model.Shape, 1, 16);
        long[] tokens = TinyModel.Tokens(6, model.Shape.VocabularySize);
        int v = model.Shape.VocabularySize;
        float[] logits = decoder.Step(tokens, [6], 6);
        Assert.That(TestFolder.Worst(logits.AsSpan(logits.Length - v), NaiveLlama.Logits(model, tokens)[5]), Is.LessThan(1e-4));
        held.ForEach(value => value.Dispose());
    }
}

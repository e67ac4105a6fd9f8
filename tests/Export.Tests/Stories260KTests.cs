using System.Text.Json;
using Microsoft.ML.OnnxRuntimeGenAI;
using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>A real model with published numbers.</summary>
public sealed class Stories260KTests
{
    /// <summary>float32 against the float64 reference.</summary>
    private const double Tolerance = 2e-4;

    private static JsonElement Reference()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Shared("models/stories260K"), "reference.json")));
        return json.RootElement.Clone();
    }

    private static long[] Ids() => [.. Reference().GetProperty("greedy_ids").EnumerateArray().Select(id => id.GetInt64())];

    private static void Export(TestFolder folder) =>
        OnnxExporter.ExportPolicy(TinyModel.Stories260K(), Checkout.Shared("models/stories260K"), folder.In("policy"));

    [Test]
    public void LogitsAndGreedyTokensThroughOnnxRuntime()
    {
        TinyModel model = TinyModel.Stories260K();
        using TestFolder folder = new();
        Export(folder);
        long[] expected = Ids();
        using Decoder full = new(Decoder.Open(folder.In("policy/model.onnx")), model.Shape, 1, 512);
        float[] logits = full.Step(expected[..64], [64], 64);
        foreach ((string name, int position) in new[] { ("logits_of_first_64_ids_at_position_0", 0), ("logits_of_first_64_ids_at_position_63", 63) })
        {
            double[] reference = [.. Reference().GetProperty(name).EnumerateArray().Select(x => x.GetDouble())];
            Assert.That(TestFolder.Worst(logits.AsSpan(position * 512, 512), reference), Is.LessThan(Tolerance), name);
        }

        using Decoder decoder = new(folder.In("policy/rollout.onnx"), model.Shape, 1, 512);
        List<long> ids = [expected[0]];
        while (ids.Count < expected.Length)
        {
            float[] next = decoder.Step([ids[^1]], [ids.Count], ids.Count);
            ids.Add(Array.IndexOf(next, next.Max()));
        }

        Assert.That(ids, Is.EqualTo(expected));
    }

    [Test]
    public void TokenLogProbsThroughTheScorer()
    {
        using TestFolder folder = new();
        Export(folder);
        long[] ids = Ids()[..64];
        double[] reference = [.. Reference().GetProperty("token_logprobs_of_first_64_ids").EnumerateArray().Select(x => x.GetDouble())];
        long[] rows = [.. Enumerable.Range(0, 63).Select(t => (long)t)];
        (float[] found, _) = ScorerGraphTests.Run(File.ReadAllBytes(folder.In("policy/scorer.onnx")), folder.In("policy"), ids, [64], 64, rows, ids[1..], 1, entropy: false);
        Assert.That(TestFolder.Worst(found, reference), Is.LessThan(Tolerance));
    }

    [Test]
    public void GreedyTokensThroughGenAi()
    {
        using TestFolder folder = new();
        Export(folder);
        int[] expected = [.. Ids().Select(id => (int)id)];
        using Model model = new(folder.In("policy"));
        using GeneratorParams parameters = new(model);
        parameters.SetSearchOption("max_length", expected.Length);
        using Generator generator = new(model, parameters);
        generator.AppendTokens(expected.AsSpan(0, 1));
        while (!generator.IsDone()) generator.GenerateNextToken();
        Assert.That(generator.GetSequence(0).ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public void GenAiReadsTheTokenizer()
    {
        using TestFolder folder = new();
        Export(folder);
        using Model model = new(folder.In("policy"));
        using Tokenizer tokenizer = new(model);
        int[] ids = [.. Ids().Skip(1).Take(40).Select(id => (int)id)];
        Assert.That(tokenizer.Decode(ids), Does.Contain("there was a little girl named Lily"));
    }
}

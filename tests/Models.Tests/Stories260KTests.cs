using System.Text.Json;
using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>A trained model against a float64 reference forward pass.</summary>
public sealed class Stories260KTests
{
    /// <summary>float32 against float64.</summary>
    private const double LogitTolerance = 2e-4;

    private LlamaModel? _model;
    private JsonElement _reference;

    private LlamaModel Model => _model!;

    [OneTimeSetUp]
    public void Load()
    {
        string folder = Checkout.Shared("models/stories260K");
        _model = LlamaModel.Load(folder);
        _reference = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "reference.json"))).RootElement;
    }

    [OneTimeTearDown]
    public void Free() => _model?.Dispose();

    [Test]
    public void Logits_at_positions_0_and_63()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        Tensor logits = Model.Logits(Model.Hidden(Prefix(64)));
        foreach (int position in new[] { 0, 63 })
        {
            double[] expected = Numbers($"logits_of_first_64_ids_at_position_{position}");
            for (int i = 0; i < expected.Length; i++)
                Assert.That(logits[0, position, i].item<float>(), Is.EqualTo(expected[i]).Within(LogitTolerance), $"position {position}, id {i}");
        }
    }

    [Test]
    public void Token_log_probs_of_the_first_64_ids()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        double[] expected = Numbers("token_logprobs_of_first_64_ids");
        int[] ids = Ids();
        Tensor logProbs = Model.Logits(Model.Hidden(Prefix(expected.Length + 1))).log_softmax(-1);
        for (int i = 0; i < expected.Length; i++)
            Assert.That(logProbs[0, i, ids[i + 1]].item<float>(), Is.EqualTo(expected[i]).Within(LogitTolerance), $"position {i}");
    }

    [Test]
    public void All_257_greedy_ids()
    {
        int[] expected = Ids();
        Assert.That(expected, Has.Length.EqualTo(257));
        int[] response = GreedyDecoder.Decode(Model, [expected[0]], expected.Length - 1, stopAtEos: false);
        Assert.That(response, Is.EqualTo(expected[1..]));
    }

    [Test]
    public void The_cache_gives_the_logits_of_the_whole_sequence()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        using var cache = new KeyValueCache(Model, 1, 20);
        Tensor ids = Prefix(20), whole = Model.Hidden(ids);
        Tensor first = Model.Hidden(ids.narrow(1, 0, 7), cache), second = Model.Hidden(ids.narrow(1, 7, 13), cache);
        Assert.That(TestModels.MaxDifference(cat([first, second], 1), whole), Is.LessThan(1e-5));
    }

    private int[] Ids() => [.. _reference.GetProperty("greedy_ids").EnumerateArray().Select(e => e.GetInt32())];

    private Tensor Prefix(int count) => TestModels.Ids([.. Ids().Take(count).Select(id => (long)id)]);

    private double[] Numbers(string name) => [.. _reference.GetProperty(name).EnumerateArray().Select(e => e.GetDouble())];
}

using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests.Ort;

/// <summary>The list of its weights that a graph carries decides what is read from where: none of its numbers is believed.</summary>
public sealed class WeightDescriptionTests
{
    private Dictionary<string, NodeMetadata> _inputs = [];
    private string _text = "", _data = "";

    [OneTimeSetUp]
    public void Open()
    {
        PolicyFolder folder = TestPolicies.Random();
        using InferenceSession session = new(folder.FastGraph);
        _inputs = session.InputMetadata.ToDictionary();
        _text = session.ModelMetadata.CustomMetadataMap[WeightDescription.MetadataKey];
        _data = folder.Data;
    }

    [Test]
    public void TheExportersOwnListIsAccepted()
    {
        WeightDescription[] weights = Read(_text);
        Assert.That(weights, Is.Not.Empty);
        Assert.That(() => WeightDescription.RequireIn(_data, weights), Throws.Nothing);
    }

    [TestCase("[null]", "weight 1 has no name or no dimensions")]
    [TestCase("[{}]", "weight 1 has no name or no dimensions")]
    [TestCase("""[{"name": "a", "dimensions": null}]""", "weight 1 has no name or no dimensions")]
    [TestCase("""[{"name": "a", "dimensions": [1]}]""", "'a' is not that of an input it has")]
    [TestCase("7", "cannot be read")]
    public void WhatIsNoListOfTheGraphsInputsIsRefused(string text, string words) =>
        Assert.That(() => Read(text), Throws.TypeOf<BadModelException>().With.Message.Contains(words));

    // 2⁶³ − 4 + the size of the weight wraps to a negative end, below the length of every file.
    [TestCase(long.MaxValue - 3)]
    [TestCase(-4)]
    public void OffsetsThatNoFileHasAreRefused(long offset) =>
        Assert.That(() => Read(Edited(weights => weights[0]!["offset"] = offset)), Throws.TypeOf<BadModelException>().With.Message.Contains("no file has such a place"));

    [Test]
    public void AWeightDescribedTwiceIsRefused() =>
        Assert.That(() => Read(Edited(weights => weights.Add(weights[0]!.DeepClone()))), Throws.TypeOf<BadModelException>().With.Message.Contains("is not that of an input it has"));

    [Test]
    public void AWeightBehindTheEndOfTheFileIsRefused()
    {
        WeightDescription[] weights = Read(Edited(list => list[^1]!["offset"] = new FileInfo(_data).Length));
        Assert.That(() => WeightDescription.RequireIn(_data, weights), Throws.TypeOf<BadModelException>().With.Message.Contains($"the graph's weight '{weights[^1].Name}' needs"));
    }

    /// <summary>Before memory is taken: a thousand inputs over one place would need a thousand times the file.</summary>
    [Test]
    public void WeightsThatTogetherAreLargerThanTheFileAreRefused()
    {
        WeightDescription[] one = [Read(_text).MaxBy(w => w.Count)!], all = [.. Enumerable.Repeat(one[0] with { Offset = 0 }, (int)(new FileInfo(_data).Length / (one[0].End - one[0].Offset)) + 1)];
        Assert.That(() => WeightDescription.RequireIn(_data, all), Throws.TypeOf<BadModelException>().With.Message.Contains("are larger"));
    }

    private WeightDescription[] Read(string text) => WeightDescription.Read(text, _inputs);

    private string Edited(Action<JsonArray> edit)
    {
        JsonArray weights = JsonNode.Parse(_text)!.AsArray();
        edit(weights);
        return weights.ToJsonString();
    }
}

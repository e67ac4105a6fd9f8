using System.Text.Json.Nodes;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests;

/// <summary>A policy folder from a stranger: nothing outside it is read, nothing in it is run, and its numbers are not believed.</summary>
public sealed class PolicyFolderTests
{
    private string _folder = "";

    [SetUp]
    public void Copy()
    {
        _folder = Directory.CreateTempSubdirectory("rlhf-policy-").FullName;
        foreach (string file in Directory.GetFiles(TestPolicies.Random().Path)) File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
    }

    [TearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [TestCase("../model.onnx")]
    [TestCase("/etc/hostname")]
    [TestCase("")]
    public void AGraphOutsideTheFolderIsRefused(string name)
    {
        Edit(model => model["decoder"]!["filename"] = name);
        Assert.That(() => PolicyFolder.Open(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains($"filename is '{name}'; the graph must lie inside"));
    }

    [Test]
    public void ALibraryIsRefused()
    {
        Edit(model => model["decoder"]!["session_options"] = new JsonObject { ["custom_ops_library"] = "evil.so" });
        Assert.That(() => PolicyFolder.Open(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains("custom_ops_library names a library to be loaded; no code is run from a model folder"));
    }

    [TestCase("num_hidden_layers", 2_000_000_000)]
    [TestCase("num_key_value_heads", 0)]
    [TestCase("head_size", -16)]
    public void NumbersThatNoModelHasAreRefused(string key, int value)
    {
        Edit(model => model["decoder"]![key] = value);
        Assert.That(() => PolicyFolder.Open(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains($"{key} is {value}; it must be between 1 and"));
    }

    // Buffers are sized by these numbers.
    [TestCase("num_hidden_layers", 9, "past_key_values.8.value")]
    [TestCase("num_key_value_heads", 64, "the description says 64")]
    [TestCase("head_size", 512, "the description says 512")]
    public void ADescriptionOfAnotherGraphIsRefused(string key, int value, string words)
    {
        Edit(model => model["decoder"]![key] = value);
        PolicyFolder folder = PolicyFolder.Open(_folder);
        Assert.That(() => new OrtEngine(folder, null), Throws.TypeOf<BadModelException>().With.Message.Contains("does not describe this graph").And.Message.Contains(words));
    }

    [Test]
    public void AnotherVocabularyIsRefused()
    {
        Edit(model => model["vocab_size"] = 12345);
        PolicyFolder folder = PolicyFolder.Open(_folder);
        Assert.That(() => new OrtEngine(folder, null), Throws.TypeOf<BadModelException>().With.Message.Contains("the description says 12345"));
    }

    [Test]
    public void WeightsThatAreCutShortAreRefused()
    {
        using (FileStream data = File.OpenWrite(Path.Combine(_folder, "model.onnx.data"))) data.SetLength(data.Length / 2);
        Assert.That(() => PolicyFolder.Open(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains("the data file is truncated"));
    }

    private void Edit(Action<JsonNode> edit)
    {
        string file = Path.Combine(_folder, "genai_config.json");
        JsonNode root = JsonNode.Parse(File.ReadAllText(file))!;
        edit(root["model"]!);
        File.WriteAllText(file, root.ToJsonString());
    }
}

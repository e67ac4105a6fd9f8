using System.Text.Json.Nodes;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.GenAi;
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

    /// <summary>The exporter's weights are one file, and their hash is its; rollouts and runs are stamped with it.</summary>
    [Test]
    public void TheHashOfAnExportedPolicyIsThatOfItsDataFile()
    {
        PolicyFolder folder = PolicyFolder.Open(_folder);
        Assert.That(folder.Hash(), Is.EqualTo(Sha256.OfFile(Path.Combine(_folder, "model.onnx.data"))));
        using OrtEngine ort = new(folder, null);
        using GenAiEngine genai = new(folder, null);
        Assert.That(ort.PolicyHash, Is.EqualTo(folder.Hash()));
        Assert.That(genai.PolicyHash, Is.EqualTo(folder.Hash()));
    }

    /// <summary>Another exporter may call its data file anything, and leave small weights in the graph.</summary>
    [TestCase("model_onnx.data")]
    [TestCase("model.onnx")]
    public void WeightsUnderAnotherNameAreHashedToo(string changed)
    {
        File.Move(Path.Combine(_folder, "model.onnx.data"), Path.Combine(_folder, "model_onnx.data"));
        foreach (string graph in (string[])["rollout.onnx", "sampled.onnx"]) File.Delete(Path.Combine(_folder, graph));
        string model = Path.Combine(_folder, "model.onnx");
        byte[] bytes = File.ReadAllBytes(model), name = "model.onnx.data"u8.ToArray();
        for (int at = bytes.AsSpan().IndexOf(name); at >= 0; at = bytes.AsSpan().IndexOf(name)) bytes[at + 5] = (byte)'_';
        File.WriteAllBytes(model, bytes);
        string before = PolicyFolder.Open(_folder).Hash();
        Assert.That(PolicyFolder.Open(_folder).Hash(), Is.EqualTo(before));
        string file = Path.Combine(_folder, changed);
        bytes = File.ReadAllBytes(file);
        if (changed == "model.onnx") bytes = [.. bytes, 0x32, 0x01, (byte)'x']; // the message's doc_string
        else bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.That(PolicyFolder.Open(_folder).Hash(), Is.Not.EqualTo(before));
    }

    /// <summary>GenAI would open, write or load what these name: nothing but the settings of a decoder reaches it.</summary>
    [TestCase("""{"model": {"decoder": {"pipeline": [{"a": {"filename": "../other.onnx"}}]}}}""", "'model.decoder.pipeline'")]
    [TestCase("""{"model": {"decoder": {"adapter_filename": "/etc/passwd"}}}""", "'model.decoder.adapter_filename'")]
    [TestCase("""{"model": {"decoder": {"session_options": {"enable_profiling": "/tmp/profile"}}}}""", "'model.decoder.session_options.enable_profiling'")]
    [TestCase("""{"model": {"decoder": {"session_options": {"ep.context_file_path": "/tmp/x"}}}}""", "'model.decoder.session_options.ep.context_file_path'")]
    [TestCase("""{"model": {"decoder": {"session_options": {"provider_options": [{"OpenVINO": {"cache_dir": "/tmp"}}]}}}}""", "model.decoder.session_options.provider_options is")]
    [TestCase("""{"model": {"decoder": {"session_options": {"provider_options": [{"cuda": {"user_compute_stream": "1"}}]}}}}""", "model.decoder.session_options.provider_options is")]
    [TestCase("""{"model": {"vision": {"filename": "vision.onnx"}}}""", "'model.vision'")]
    [TestCase("""{"model": {"type": "decoder-pipeline"}}""", "model.type is \"decoder-pipeline\"; it must be a type of decoder")]
    [TestCase("""{"search": {"num_beams": 1000000}}""", "search.num_beams is 1000000; it must be a whole number from 1 to 1")]
    [TestCase("""{"search": {"max_length": 1e18}}""", "search.max_length is")]
    [TestCase("""{"engine": {}}""", "'engine'")]
    public void SettingsThatADecoderDoesNotNeedDoNotReachGenAI(string more, string words)
    {
        string file = Path.Combine(_folder, "genai_config.json");
        JsonNode root = JsonNode.Parse(File.ReadAllText(file))!;
        Merge(root, JsonNode.Parse(more)!);
        File.WriteAllText(file, root.ToJsonString());
        Assert.That(() => new GenAiEngine(PolicyFolder.Open(_folder), null), Throws.TypeOf<BadModelException>().With.Message.Contains(words));
    }

    /// <summary>One setting twice: the reader that checks and the one that acts might take different ones.</summary>
    [Test]
    public void ASettingThatIsThereTwiceIsRefused()
    {
        string file = Path.Combine(_folder, "genai_config.json"), text = File.ReadAllText(file);
        File.WriteAllText(file, text.Replace("\"filename\": \"model.onnx\"", "\"filename\": \"model.onnx\", \"filename\": \"../model.onnx\"", StringComparison.Ordinal));
        Assert.That(() => GenAiDescription.Check(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains("filename"));
    }

    /// <summary>What GenAI's model builder writes for a Llama-like model.</summary>
    [Test]
    public void ADescriptionOfTheModelBuilderPasses()
    {
        File.WriteAllText(Path.Combine(_folder, "genai_config.json"), """
            {"model": {"bos_token_id": 128000, "context_length": 131072, "decoder": {"session_options": {"log_id": "onnxruntime-genai", "provider_options": [{"cuda": {"enable_cuda_graph": "0"}}]},
             "filename": "model.onnx", "head_size": 64, "hidden_size": 2048,
             "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", "position_ids": "position_ids", "past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"},
             "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
             "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8}, "eos_token_id": [128001, 128008, 128009], "pad_token_id": 128001, "type": "llama", "vocab_size": 128256},
             "search": {"diversity_penalty": 0.0, "do_sample": true, "early_stopping": true, "length_penalty": 1.0, "max_length": 131072, "min_length": 0, "no_repeat_ngram_size": 0, "num_beams": 1,
             "num_return_sequences": 1, "past_present_share_buffer": true, "repetition_penalty": 1.0, "temperature": 0.6, "top_k": 1, "top_p": 0.9}}
            """);
        Assert.That(() => GenAiDescription.Check(_folder), Throws.Nothing);
    }

    /// <summary>A model may end on many tokens: line ends, tags, whatever its maker chose.</summary>
    [Test]
    public void ManyEndsPassAndAWrongOneDoesNot()
    {
        Edit(model => model["eos_token_id"] = new JsonArray([.. Enumerable.Range(2, 640).Select(id => JsonValue.Create(id))]));
        Assert.That(() => GenAiDescription.Check(_folder), Throws.Nothing);
        Edit(model => model["eos_token_id"] = new JsonArray(2, 3, -7));
        Assert.That(() => GenAiDescription.Check(_folder), Throws.TypeOf<BadModelException>().With.Message.Contains("model.eos_token_id is [2,3,-7]; it must be a token id, or a list of at most 65536 of them"));
    }

    private static void Merge(JsonNode into, JsonNode more)
    {
        foreach ((string name, JsonNode? value) in more.AsObject())
        {
            if (value is JsonObject inner && into[name] is JsonObject there) Merge(there, inner);
            else into[name] = value?.DeepClone();
        }
    }

    private void Edit(Action<JsonNode> edit)
    {
        string file = Path.Combine(_folder, "genai_config.json");
        JsonNode root = JsonNode.Parse(File.ReadAllText(file))!;
        edit(root["model"]!);
        File.WriteAllText(file, root.ToJsonString());
    }
}

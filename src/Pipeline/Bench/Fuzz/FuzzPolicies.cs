using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;
using Rlhf.Models;
using Rlhf.Tokenization;

namespace Rlhf.Pipeline.Bench;

/// <summary>What a policy's folder from a stranger says beside its graph: GenAI's description, the graph's own list of its weights, shards.</summary>
internal static class FuzzPolicies
{
    private const string WeightsKey = "rlhf.weight_inputs";

    private static readonly SamplingOptions Sampling = new() { MaxNewTokens = 4, BatchSize = 2, Seed = 1 };

    /// <summary>Writes the corpus, beside a model and the policy exported from it.</summary>
    public static void Write(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        Copy(At("policy"), At("described"));
        using (var session = new InferenceSession(At("policy/rollout.onnx"))) File.WriteAllText(At("weights.json"), session.ModelMetadata.CustomMetadataMap[WeightsKey]);
        Copy(At("model"), At("shards"));
        File.Move(At("shards/model.safetensors"), At("shards/model-00001-of-00001.safetensors"));
        using SafetensorsReader reader = SafetensorsReader.Open(At("shards/model-00001-of-00001.safetensors"));
        string map = string.Join(", ", reader.Entries.Keys.Select(name => $"\"{name}\": \"model-00001-of-00001.safetensors\""));
        File.WriteAllText(At("shards/model.safetensors.index.json"), $$$"""{"metadata": {"total_size": 1}, "weight_map": {{{{map}}}}}""");
        File.WriteAllText(At("model/generation_config.json"), """{"bos_token_id": 0, "eos_token_id": [1, 2], "max_length": 64}""");
    }

    public static IEnumerable<FuzzTarget> Targets(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        yield return new("genai_config.json", ["policy/genai_config.json"], () => Draw(At("policy")));
        yield return new("genai_config.json, read by GenAI", ["policy/genai_config.json"], () =>
        {
            using var engine = new GenAiEngine(PolicyFolder.Open(At("policy")), null);
            return Draw(engine);
        });
        yield return new("a graph's list of its weights", ["weights.json"], () =>
        {
            // Of two entries with one key in the metadata, ONNX Runtime takes the second.
            File.WriteAllBytes(At("described/rollout.onnx"), [.. File.ReadAllBytes(At("policy/rollout.onnx")), .. Metadata(WeightsKey, File.ReadAllBytes(At("weights.json")))]);
            return Draw(At("described"));
        });
        yield return new("model.safetensors.index.json", ["shards/model.safetensors.index.json"], () =>
        {
            using LlamaModel model = LlamaModel.Load(At("shards"), trainable: false);
            return model.Parameters.Hash();
        });
        yield return new("generation_config.json", ["model/generation_config.json"], () =>
        {
            using Tokenizer tokenizer = Tokenizer.Open(At("model"));
            return string.Join(' ', tokenizer.EosIds) + tokenizer.Decode(tokenizer.EncodePrompt("the river"));
        });
        yield return new("onnx, opened by ONNX Runtime", ["policy/rollout.onnx"], () => Draw(At("policy")), Extra: true);
    }

    private static string Draw(string policy)
    {
        using OrtEngine engine = new(PolicyFolder.Open(policy), null, new OrtEngineOptions { Threads = 1 });
        return Draw(engine);
    }

    private static string Draw(IRolloutEngine engine) =>
        string.Join(' ', engine.Generate([new Prompt { Id = "a", Text = "", Tokens = [1, 2, 3] }], Sampling).SelectMany(r => r.ResponseTokens).Select(t => t.ToString(CultureInfo.InvariantCulture)));

    // metadata_props of an ONNX file: field 14, of { key = 1, value = 2 }.
    private static byte[] Metadata(string key, byte[] value)
    {
        byte[] entry = [.. Field(1, System.Text.Encoding.UTF8.GetBytes(key)), .. Field(2, value)];
        return Field(14, entry);
    }

    private static byte[] Field(int number, byte[] content)
    {
        List<byte> field = [(byte)((number << 3) | 2)];
        uint length = (uint)content.Length;
        for (; length > 0x7F; length >>= 7) field.Add((byte)(length | 0x80));
        field.Add((byte)length);
        return [.. field, .. content];
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}

using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Generation;

/// <summary>What genai_config.json says about an exported policy.</summary>
public sealed record PolicyFolder
{
    private const string ConfigName = "genai_config.json", DefaultGraph = "model.onnx", RolloutGraph = "rollout.onnx", DataSuffix = ".data";

    /// <summary>The folder, absolute.</summary>
    public required string Path { get; init; }

    /// <summary>The decoder that GenAI opens too: logits of every position.</summary>
    public required string Graph { get; init; }

    public required int Layers { get; init; }
    public required int KeyValueHeads { get; init; }

    /// <summary>As in the cache: padded to a multiple of 16 where the model's own is none.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Tokens of prompt and response together.</summary>
    public required int ContextLength { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Tokens that end a response.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    public required string InputIds { get; init; }
    public required string AttentionMask { get; init; }
    public required string Logits { get; init; }

    /// <summary>With %d for the layer.</summary>
    public required string PastKey { get; init; }
    public required string PastValue { get; init; }
    public required string PresentKey { get; init; }
    public required string PresentValue { get; init; }

    /// <summary>The graph that computes logits of each row's last token only, over the same weights; the deployed graph where the folder has none.</summary>
    public string FastGraph => File.Exists(System.IO.Path.Combine(Path, RolloutGraph)) ? System.IO.Path.Combine(Path, RolloutGraph) : Graph;

    /// <summary>Reads the folder's description.</summary>
    /// <exception cref="BadModelException">The folder or a needed file is missing, or the description lacks a number.</exception>
    public static PolicyFolder Open(string folder)
    {
        string path = System.IO.Path.GetFullPath(folder), config = System.IO.Path.Combine(path, ConfigName);
        if (!Directory.Exists(path)) throw new BadModelException($"{folder}: there is no such folder; expected an exported policy ({DefaultGraph}, {ConfigName}, tokenizer.json).");
        if (!File.Exists(config))
        {
            string remedy = File.Exists(System.IO.Path.Combine(path, "config.json"))
                ? $"This is a Hugging Face folder; export it first: rlhf-optimize export --model {folder} --out DIR."
                : "Name a folder that rlhf-optimize export wrote.";
            throw new BadModelException($"{folder}: {ConfigName} is missing, so this is no exported policy. {remedy}");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config));
            JsonElement model = document.RootElement.GetProperty("model"), decoder = model.GetProperty("decoder");
            JsonElement inputs = decoder.GetProperty("inputs"), outputs = decoder.GetProperty("outputs");
            JsonElement eos = model.GetProperty("eos_token_id");
            string graph = System.IO.Path.Combine(path, decoder.TryGetProperty("filename", out JsonElement file) ? file.GetString()! : DefaultGraph);
            if (!File.Exists(graph)) throw new BadModelException($"{graph}: the file is missing, but {ConfigName} names it. Export the model again.");
            if (!File.Exists(System.IO.Path.Combine(path, "tokenizer.json")))
                throw new BadModelException($"{folder}: tokenizer.json is missing, so prompts cannot be read. Copy the tokenizer that the model was trained with into the folder, or export the model again.");
            return new PolicyFolder
            {
                Path = path,
                Graph = graph,
                Layers = decoder.GetProperty("num_hidden_layers").GetInt32(),
                KeyValueHeads = decoder.GetProperty("num_key_value_heads").GetInt32(),
                HeadSize = decoder.GetProperty("head_size").GetInt32(),
                ContextLength = model.GetProperty("context_length").GetInt32(),
                VocabularySize = model.GetProperty("vocab_size").GetInt32(),
                EndTokens = eos.ValueKind == JsonValueKind.Array ? [.. eos.EnumerateArray().Select(e => e.GetInt32())] : [eos.GetInt32()],
                InputIds = inputs.GetProperty("input_ids").GetString()!,
                AttentionMask = inputs.GetProperty("attention_mask").GetString()!,
                PastKey = inputs.GetProperty("past_key_names").GetString()!,
                PastValue = inputs.GetProperty("past_value_names").GetString()!,
                Logits = outputs.GetProperty("logits").GetString()!,
                PresentKey = outputs.GetProperty("present_key_names").GetString()!,
                PresentValue = outputs.GetProperty("present_value_names").GetString()!,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{config}: not a policy's description ({e.Message}). Export the model again.", e);
        }
    }

    /// <summary>SHA-256 (hex) of the weights: of the external data file, or of the graph where weights are inside it.</summary>
    public string Hash() => Sha256.OfFile(File.Exists(Graph + DataSuffix) ? Graph + DataSuffix : Graph);
}

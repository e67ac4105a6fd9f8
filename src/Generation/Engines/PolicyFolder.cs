using System.Text.Json;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Generation;

/// <summary>What genai_config.json says about an exported policy.</summary>
public sealed record PolicyFolder
{
    private const string ConfigName = "genai_config.json", DefaultGraph = "model.onnx", RolloutGraph = "rollout.onnx", SampledGraph = "sampled.onnx", DataSuffix = ".data";

    // Far above any model's: a damaged number must not become an allocation.
    private const int MostLayers = 1024, MostHeads = 4096, MostTokens = 1 << 24;

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

    /// <summary>The graph that an engine opens: the fast one, or the one that draws tokens itself.</summary>
    /// <exception cref="BadModelException">The folder has no graph that draws.</exception>
    internal string GraphFor(bool drawing)
    {
        if (!drawing) return FastGraph;
        string graph = System.IO.Path.Combine(Path, SampledGraph);
        if (File.Exists(graph))
        {
            OnnxFile.Check(graph);
            return graph;
        }

        throw new BadModelException($"{graph}: the file is missing, so tokens cannot be drawn on the device. Export the model again: rlhf-optimize export writes it.");
    }

    /// <summary>The external data file: the weights of all graphs.</summary>
    public string Data => Graph + DataSuffix;

    /// <summary>Files with weights that the graphs name, absolute, in ordinal order.</summary>
    internal IReadOnlyList<string> DataFiles { get; init; } = [];

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
            RefuseLibraries(document.RootElement, config);
            string name = decoder.TryGetProperty("filename", out JsonElement file) ? file.GetString() ?? "" : DefaultGraph;
            string graph = SafePath.Inside(path, name) ?? throw new BadModelException($"{config}: filename is '{name}'; the graph must lie inside the model's folder. Do not use this model unless you know who made it.");
            if (!File.Exists(graph)) throw new BadModelException($"{graph}: the file is missing, but {ConfigName} names it. Export the model again.");
            if (!File.Exists(System.IO.Path.Combine(path, "tokenizer.json")))
                throw new BadModelException($"{folder}: tokenizer.json is missing, so prompts cannot be read. Copy the tokenizer that the model was trained with into the folder, or export the model again.");
            var policy = new PolicyFolder
            {
                Path = path,
                Graph = graph,
                Layers = Whole(decoder, "num_hidden_layers", MostLayers),
                KeyValueHeads = Whole(decoder, "num_key_value_heads", MostHeads),
                HeadSize = Whole(decoder, "head_size", MostHeads),
                ContextLength = Whole(model, "context_length", MostTokens),
                VocabularySize = Whole(model, "vocab_size", MostTokens),
                EndTokens = eos.ValueKind == JsonValueKind.Array ? [.. eos.EnumerateArray().Select(e => e.GetInt32())] : [eos.GetInt32()],
                InputIds = Text(inputs, "input_ids"),
                AttentionMask = Text(inputs, "attention_mask"),
                PastKey = Text(inputs, "past_key_names"),
                PastValue = Text(inputs, "past_value_names"),
                Logits = Text(outputs, "logits"),
                PresentKey = Text(outputs, "present_key_names"),
                PresentValue = Text(outputs, "present_value_names"),
            };
            // Before an engine reads them: every weight lies inside the folder.
            IEnumerable<string> named = OnnxFile.Check(policy.Graph);
            if (policy.FastGraph != policy.Graph) named = named.Concat(OnnxFile.Check(policy.FastGraph));
            if (File.Exists(policy.Data)) named = named.Append(policy.Data);
            return policy with { DataFiles = [.. named.Distinct().Order(StringComparer.Ordinal)] };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{config}: not a policy's description ({e.Message}). Export the model again.", e);
        }
    }

    private static int Whole(JsonElement from, string key, int most)
    {
        int value = from.GetProperty(key).GetInt32();
        return value >= 1 && value <= most ? value : throw new FormatException($"{key} is {value}; it must be between 1 and {most}");
    }

    private static string Text(JsonElement from, string key) => from.GetProperty(key).GetString() is { Length: > 0 } text ? text : throw new FormatException($"{key} is empty");

    /// <summary>GenAI would load a library that the description names, and run its code.</summary>
    private static void RefuseLibraries(JsonElement element, string config)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray()) RefuseLibraries(item, config);
        }

        if (element.ValueKind != JsonValueKind.Object) return;
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (property.Name.Contains("library", StringComparison.OrdinalIgnoreCase))
                throw new BadModelException($"{config}: {property.Name} names a library to be loaded; no code is run from a model folder. Remove the entry if the model does not need it.");
            RefuseLibraries(property.Value, config);
        }
    }

    /// <summary>SHA-256 (hex) of the weights: of the exporter's data file, of the graph where all weights are inside it, else of the graph and every file that it names.</summary>
    public string Hash() => DataFiles switch
    {
        [] => Sha256.OfFile(Graph),
        [string only] when only == Data => Sha256.OfFile(only),
        _ => HashOf([Graph, .. DataFiles]),
    };

    /// <summary>SHA-256 (hex) of what decides responses besides the weights: the graph that gives them, the description (which tokens end, how long the context is), the tokenizer.</summary>
    /// <param name="graph">The graph that an engine opens.</param>
    internal string SettingsHash(string graph) => HashOf([graph, .. Tokenizer.FileNames.Select(name => System.IO.Path.Combine(Path, name)).Where(File.Exists)]);

    /// <summary>By token: whether it ends a response.</summary>
    internal bool[] EndMask()
    {
        bool[] isEnd = new bool[VocabularySize];
        foreach (int token in EndTokens)
        {
            if (token >= 0 && token < isEnd.Length) isEnd[token] = true;
        }

        return isEnd;
    }

    private string HashOf(IEnumerable<string> files) => Sha256.OfText(string.Concat(files.Select(file => $"{Sha256.OfFile(file)} {System.IO.Path.GetRelativePath(Path, file)}\n")));
}

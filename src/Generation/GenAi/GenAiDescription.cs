using System.Globalization;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Generation.GenAi;

/// <summary>
/// ONNX Runtime GenAI follows every setting of a folder's genai_config.json: further graphs, adapters, libraries, a profile that is written, a
/// cache of any size. It may open the folder when all settings are among those that a decoder of text needs (the exporter's own, and those
/// that GenAI's model builder writes for Llama-like models) and their values are of the right kind and size.
/// </summary>
public static class GenAiDescription
{
    private const string ConfigName = "genai_config.json";
    private const int MostEnds = 1 << 16;
    private const double MostTokens = 1 << 24, MostLayers = 1024, MostHeads = 4096, MostWidth = 1 << 20, MostThreads = 1024, MostNumber = 1e6;

    private static readonly HashSet<string> Objects =
        ["model", "model.decoder", "model.decoder.session_options", "model.decoder.inputs", "model.decoder.outputs", "search"];

    // Other types are made of several graphs, or read images and sound.
    private static readonly HashSet<string> Types =
    [
        "chatglm", "ernie4_5", "gemma", "gemma2", "gemma3_text", "gpt2", "granite", "llama", "mistral", "nemotron", "olmo", "phi", "phi3", "phi3small", "phimoe", "qwen2", "qwen3", "smollm3",
    ];

    private static readonly HashSet<string> Providers = ["cpu", "cuda", "dml"], ProviderOptions = ["enable_cuda_graph", "enable_skip_layer_norm_strict_mode"];

    private static readonly Dictionary<string, Func<JsonElement, string?>> Settings = new()
    {
        ["model.type"] = value => value.ValueKind == JsonValueKind.String && Types.Contains(value.GetString()!) ? null : $"a type of decoder ({string.Join(", ", Types.Order())})",
        ["model.bos_token_id"] = Token,
        ["model.eos_token_id"] = Tokens,
        ["model.pad_token_id"] = Token,
        ["model.vocab_size"] = Whole(1, MostTokens),
        ["model.context_length"] = Whole(1, MostTokens),
        ["model.decoder.filename"] = Text, // inside the folder and looked through: PolicyFolder.Open
        ["model.decoder.head_size"] = Whole(1, MostHeads),
        ["model.decoder.hidden_size"] = Whole(1, MostWidth),
        ["model.decoder.num_attention_heads"] = Whole(1, MostHeads),
        ["model.decoder.num_hidden_layers"] = Whole(1, MostLayers),
        ["model.decoder.num_key_value_heads"] = Whole(1, MostHeads),
        ["model.decoder.inputs.input_ids"] = Text,
        ["model.decoder.inputs.attention_mask"] = Text,
        ["model.decoder.inputs.position_ids"] = Text,
        ["model.decoder.inputs.past_key_names"] = Text,
        ["model.decoder.inputs.past_value_names"] = Text,
        ["model.decoder.outputs.logits"] = Text,
        ["model.decoder.outputs.present_key_names"] = Text,
        ["model.decoder.outputs.present_value_names"] = Text,
        ["model.decoder.session_options.log_id"] = Text,
        ["model.decoder.session_options.log_severity_level"] = Whole(0, 4),
        ["model.decoder.session_options.intra_op_num_threads"] = Whole(0, MostThreads),
        ["model.decoder.session_options.inter_op_num_threads"] = Whole(0, MostThreads),
        ["model.decoder.session_options.enable_cpu_mem_arena"] = Truth,
        ["model.decoder.session_options.enable_mem_pattern"] = Truth,
        ["model.decoder.session_options.provider_options"] = ProvidersOnly,
        ["search.do_sample"] = Truth,
        ["search.early_stopping"] = Truth,
        ["search.past_present_share_buffer"] = Truth,
        ["search.max_length"] = Whole(1, MostTokens),
        ["search.min_length"] = Whole(0, MostTokens),
        ["search.no_repeat_ngram_size"] = Whole(0, MostTokens),
        ["search.num_beams"] = Whole(1, 1),
        ["search.num_return_sequences"] = Whole(1, 1),
        ["search.top_k"] = Whole(0, MostTokens),
        ["search.top_p"] = Number,
        ["search.temperature"] = Number,
        ["search.repetition_penalty"] = Number,
        ["search.length_penalty"] = Number,
        ["search.diversity_penalty"] = Number,
        ["search.random_seed"] = Whole(-1, int.MaxValue),
    };

    /// <summary>Looks through a folder's description before GenAI reads it.</summary>
    /// <param name="folder">A policy's folder.</param>
    /// <exception cref="BadModelException">It has a setting that is not among those known, or a value that cannot be; the setting is named.</exception>
    public static void Check(string folder)
    {
        string config = Path.Combine(folder, ConfigName);
        try
        {
            using JsonDocument document = JsonDocument.Parse(FileErrors.Reading(config, () => File.ReadAllBytes(config)), new JsonDocumentOptions { AllowDuplicateProperties = false });
            Check(document.RootElement, "", config);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new BadModelException($"{config}: not a policy's description ({e.Message}). Export the model again.", e);
        }
    }

    private static void Check(JsonElement element, string path, string config)
    {
        if (element.ValueKind != JsonValueKind.Object) throw new BadModelException($"{config}: {(path.Length == 0 ? "the whole" : path)} is {Shown(element)}; it must be an object. Export the model again.");
        foreach (JsonProperty property in element.EnumerateObject())
        {
            string name = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
            if (Objects.Contains(name))
            {
                Check(property.Value, name, config);
            }
            else if (!Settings.TryGetValue(name, out Func<JsonElement, string?>? problem))
            {
                throw new BadModelException(
                    $"{config}: '{name}' is a setting that a decoder of text does not need, and ONNX Runtime GenAI might open or write other files because of it. Remove the entry if you know who made the model, or use --engine ort, which does not read it.");
            }
            else if (problem(property.Value) is { } expected)
            {
                throw new BadModelException($"{config}: {name} is {Shown(property.Value)}; it must be {expected}. Export the model again.");
            }
        }
    }

    private static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String && value.GetString()!.Length is > 0 and < 256 ? null : "a short text";

    private static string? Truth(JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "true or false";

    private static string? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && Math.Abs(number) <= MostNumber ? null : "a finite number";

    private static string? Token(JsonElement value) => Whole(-1, MostTokens)(value);

    private static string? Tokens(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is > 0 and <= MostEnds && value.EnumerateArray().All(v => Token(v) is null) ? null : Token(value) is null ? null : $"a token id, or a list of at most {MostEnds} of them";

    private static Func<JsonElement, string?> Whole(double least, double most) => value =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= least && number <= most && number == Math.Floor(number)
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}");

    // Other options of a provider are paths (of caches, contexts, libraries) and addresses.
    private static string? ProvidersOnly(JsonElement value)
    {
        bool known = value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(entry => entry.ValueKind == JsonValueKind.Object && entry.EnumerateObject().All(provider =>
            Providers.Contains(provider.Name) && provider.Value.ValueKind == JsonValueKind.Object
            && provider.Value.EnumerateObject().All(option => ProviderOptions.Contains(option.Name) && option.Value.ValueKind == JsonValueKind.String && option.Value.GetString() is "0" or "1")));
        return known ? null : $"a list of providers ({string.Join(", ", Providers)}) without other options than {string.Join(" and ", ProviderOptions)} (\"0\" or \"1\")";
    }

    // On one line: a list may take a line each.
    private static string Shown(JsonElement value) => Excerpt.Of(string.Join(" ", Excerpt.Of(value.GetRawText(), 1000).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), 80);
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rlhf.Core;

namespace Rlhf.Tokenization;

/// <summary>Writes and reads the standard files of a byte-level BPE tokenizer: <c>tokenizer.json</c>, <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c>.</summary>
public static class TokenizerFiles
{
    public const string Bos = "<|bos|>", Eos = "<|eos|>", Pad = "<|pad|>";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(BpeVocabulary vocabulary, string folder, int maximumLength)
    {
        Directory.CreateDirectory(folder);
        var added = new JsonArray();
        var vocab = new JsonObject();
        for (int i = 0; i < vocabulary.SpecialTokens.Count; i++)
        {
            added.Add(new JsonObject
            {
                ["id"] = i, ["content"] = vocabulary.SpecialTokens[i], ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            });
            vocab[vocabulary.SpecialTokens[i]] = i;
        }

        for (int i = 0; i < vocabulary.Pieces.Count; i++) vocab[vocabulary.Pieces[i]] = vocabulary.SpecialTokens.Count + i;
        var merges = new JsonArray();
        foreach ((int left, int right) in vocabulary.Merges) merges.Add($"{vocabulary.Pieces[left]} {vocabulary.Pieces[right]}");
        static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = null, ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false, ["byte_fallback"] = false, ["vocab"] = vocab, ["merges"] = merges,
            },
        };
        Save(folder, "tokenizer.json", tokenizer);
        Save(folder, "tokenizer_config.json", new JsonObject
        {
            ["add_bos_token"] = true, ["add_prefix_space"] = false, ["bos_token"] = Bos, ["eos_token"] = Eos, ["pad_token"] = Pad, ["unk_token"] = Eos,
            ["clean_up_tokenization_spaces"] = false, ["model_max_length"] = maximumLength, ["tokenizer_class"] = "GPT2Tokenizer",
        });
        Save(folder, "special_tokens_map.json", new JsonObject { ["bos_token"] = Bos, ["eos_token"] = Eos, ["pad_token"] = Pad });
    }

    /// <summary>The vocabulary of a <c>tokenizer.json</c> that is byte-level BPE with GPT-2's pattern; null when it is something else.</summary>
    public static BpeVocabulary? ReadByteLevel(string folder)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(path)) throw new BadModelException($"{path}: file not found; a model folder needs its tokenizer.");
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement, model = root.GetProperty("model");
            bool gpt2 = root.TryGetProperty("pre_tokenizer", out JsonElement pre) && pre.ValueKind == JsonValueKind.Object && pre.GetProperty("type").GetString() == "ByteLevel"
                && !(pre.TryGetProperty("add_prefix_space", out JsonElement prefix) && prefix.GetBoolean())
                && root.GetProperty("normalizer").ValueKind == JsonValueKind.Null && model.GetProperty("type").GetString() == "BPE";
            return gpt2 ? Vocabulary(root, model) : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new BadModelException($"{path}: not a tokenizer file ({e.Message}).", e);
        }
    }

    private static BpeVocabulary? Vocabulary(JsonElement root, JsonElement model)
    {
        string[] specials = [.. root.GetProperty("added_tokens").EnumerateArray().OrderBy(t => t.GetProperty("id").GetInt32()).Select(t => t.GetProperty("content").GetString()!)];
        Dictionary<string, int> vocab = model.GetProperty("vocab").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt32(), StringComparer.Ordinal);
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        var pieces = new List<string>();
        for (int b = 0; b < 256; b++) Append(ByteAlphabet.Symbol((byte)b).ToString());
        var merges = new List<(int, int)>();
        foreach (JsonElement merge in model.GetProperty("merges").EnumerateArray())
        {
            string[] parts = merge.ValueKind == JsonValueKind.String ? merge.GetString()!.Split(' ') : [merge[0].GetString()!, merge[1].GetString()!];
            if (parts.Length != 2 || !index.TryGetValue(parts[0], out int left) || !index.TryGetValue(parts[1], out int right)) return null;
            merges.Add((left, right));
            Append(parts[0] + parts[1]);
        }

        // Ids must follow the order of learning, as our own trainer writes them; other layouts go through the general tokenizer.
        for (int i = 0; i < pieces.Count; i++) if (vocab.GetValueOrDefault(pieces[i], -1) != specials.Length + i) return null;
        return new BpeVocabulary(specials, pieces, merges);

        void Append(string piece)
        {
            index[piece] = pieces.Count;
            pieces.Add(piece);
        }
    }

    private static void Save(string folder, string name, JsonObject content) => WholeFile.WriteAllText(Path.Combine(folder, name), content.ToJsonString(Json) + "\n");
}

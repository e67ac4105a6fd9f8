using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rlhf.Core;

namespace Rlhf.Tokenization.Bpe;

/// <summary>Writes a trained vocabulary as the three tokenizer files of a Hugging Face folder.</summary>
public static class BpeFolder
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The files that <see cref="Write"/> makes.</summary>
    public static IReadOnlyList<string> FileNames { get; } = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];

    /// <summary>
    /// Writes <c>tokenizer.json</c> (byte-level pre-tokenizer and decoder, BOS before every sequence), <c>tokenizer_config.json</c> and
    /// <c>special_tokens_map.json</c>. The first three special tokens are BOS, EOS and padding.
    /// </summary>
    /// <exception cref="BadDataException">The folder cannot be written.</exception>
    public static void Write(BpeModel model, string folder, int? contextLength = null)
    {
        if (model.SpecialTokens.Count < 3)
            throw new ConfigurationException("a tokenizer folder needs three special tokens: BOS, EOS and padding, in this order.");
        try
        {
            Directory.CreateDirectory(folder);
            WriteWhole(Path.Combine(folder, "tokenizer.json"), TokenizerJson(model));
            WriteWhole(Path.Combine(folder, "tokenizer_config.json"), TokenizerConfig(model, contextLength));
            WriteWhole(Path.Combine(folder, "special_tokens_map.json"), SpecialTokensMap(model));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadDataException($"{folder}: the tokenizer cannot be written: {e.Message}", e);
        }
    }

    private static JsonObject TokenizerJson(BpeModel model)
    {
        byte[][] bytes = model.PieceBytes();
        string[] pieces = [.. bytes.Select((piece, id) => id < model.FirstByteId ? model.SpecialTokens[id] : ByteAlphabet.PieceOf(piece))];
        JsonObject vocabulary = [];
        for (int id = 0; id < pieces.Length; id++)
            vocabulary.Add(pieces[id], id);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. model.SpecialTokens.Select((token, id) => (JsonNode)new JsonObject
            {
                ["id"] = id,
                ["content"] = token,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(addPrefixSpace: false),
            ["post_processor"] = BosFirst(model.SpecialTokens[0]),
            ["decoder"] = ByteLevel(addPrefixSpace: true),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. model.Merges.Select(merge => (JsonNode)$"{pieces[merge.Left]} {pieces[merge.Right]}")]),
            },
        };
    }

    private static JsonObject ByteLevel(bool addPrefixSpace) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = true,
    };

    private static JsonObject BosFirst(string bos)
    {
        static JsonObject Special(string token, int sequence) => new() { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = sequence } };
        static JsonObject Sequence(string name, int sequence) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = sequence } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(bos, 0), Sequence("A", 0)),
            ["pair"] = new JsonArray(Special(bos, 0), Sequence("A", 0), Special(bos, 1), Sequence("B", 1)),
            ["special_tokens"] = new JsonObject
            {
                [bos] = new JsonObject { ["id"] = bos, ["ids"] = new JsonArray(0), ["tokens"] = new JsonArray(bos) },
            },
        };
    }

    private static JsonObject TokenizerConfig(BpeModel model, int? contextLength)
    {
        JsonObject config = new()
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["add_bos_token"] = true,
            ["add_eos_token"] = false,
            ["add_prefix_space"] = false,
            ["bos_token"] = model.SpecialTokens[0],
            ["eos_token"] = model.SpecialTokens[1],
            ["pad_token"] = model.SpecialTokens[2],
            ["unk_token"] = null,
            ["clean_up_tokenization_spaces"] = false,
        };
        if (contextLength is { } length)
            config["model_max_length"] = length;
        return config;
    }

    private static JsonObject SpecialTokensMap(BpeModel model) => new()
    {
        ["bos_token"] = model.SpecialTokens[0],
        ["eos_token"] = model.SpecialTokens[1],
        ["pad_token"] = model.SpecialTokens[2],
    };

    private static void WriteWhole(string path, JsonObject content)
    {
        string partial = path + ".partial";
        File.WriteAllText(partial, content.ToJsonString(s_json) + "\n");
        File.Move(partial, path, overwrite: true);
    }
}

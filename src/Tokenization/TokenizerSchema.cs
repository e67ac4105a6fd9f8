using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Tokenization;

/// <summary>
/// Holds tokenizer.json and tokenizer_config.json against the types that the native tokenizer expects. It ends the whole process where a
/// value is of another kind (an exception that nobody catches), so nothing may reach it unchecked.
/// </summary>
internal static class TokenizerSchema
{
    private static readonly HashSet<string> Flags = new(StringComparer.Ordinal)
    {
        "special", "single_word", "lstrip", "rstrip", "normalized", "add_prefix_space", "trim_offsets", "use_regex", "fuse_unk", "byte_fallback", "ignore_merges",
        "individual_digits", "invert", "clean_text", "handle_chinese_chars", "lowercase", "clean_up_tokenization_spaces", "strip_left", "strip_right", "cleanup", "split",
    };

    private static readonly HashSet<string> FlagsOrNull = new(StringComparer.Ordinal)
    {
        "strip_accents", "add_bos_token", "add_eos_token", "legacy", "spaces_between_special_tokens", "do_lower_case", "split_special_tokens", "tokenize_chinese_chars",
    };

    private static readonly HashSet<string> Texts = new(StringComparer.Ordinal)
    {
        "type", "content", "tokenizer_class", "behavior", "replacement", "prepend_scheme", "prefix", "suffix", "prepend", "version", "str_rep", "String", "Regex", "precompiled_charsmap",
    };

    private static readonly HashSet<string> TextsOrNull = new(StringComparer.Ordinal) { "unk_token", "continuing_subword_prefix", "end_of_word_suffix" };

    /// <summary>Keys that hold a token: its text, its description, or null.</summary>
    private static readonly HashSet<string> Tokens = new(StringComparer.Ordinal) { "bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token" };

    private static readonly HashSet<string> Numbers = new(StringComparer.Ordinal) { "model_max_length", "max_length", "type_id", "stride", "pad_id", "pad_type_id", "max_input_chars_per_word" };

    private static readonly HashSet<string> Lists = new(StringComparer.Ordinal) { "ids", "tokens", "processors", "normalizers", "pretokenizers", "decoders", "single", "pair" };

    private static readonly HashSet<string> Objects = new(StringComparer.Ordinal) { "pattern", "special_tokens", "SpecialToken", "Sequence" };

    /// <summary>The four steps of a tokenizer, and the key under which a sequence of each holds its steps.</summary>
    private static readonly Dictionary<string, string> Parts = new(StringComparer.Ordinal)
    {
        ["normalizer"] = "normalizers", ["pre_tokenizer"] = "pretokenizers", ["post_processor"] = "processors", ["decoder"] = "decoders",
    };

    /// <summary>Checks a file's root.</summary>
    /// <exception cref="BadModelException">A value has another type than the format says; names the key.</exception>
    public static void Check(JsonElement root, string file)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Bad(file, "the file", "an object", root);
        foreach (JsonProperty property in root.EnumerateObject())
        {
            string name = property.Name;
            JsonElement value = property.Value;
            switch (name)
            {
                case "model" when file.EndsWith("tokenizer.json", StringComparison.Ordinal):
                    Model(value, file);
                    break;
                case "added_tokens":
                    AddedTokens(value, file);
                    break;
                case "chat_template":
                    if (value.ValueKind == JsonValueKind.Array)
                        throw new BadModelException($"{file}: chat_template is a list of templates with names; ONNX Runtime GenAI takes one. Keep the text of the one that is named default as chat_template.");
                    if (value.ValueKind != JsonValueKind.String) throw Bad(file, name, "text (or left out)", value);
                    break;
                case "added_tokens_decoder":
                    if (value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Any(t => !int.TryParse(t.Name, out int id) || id < 0)) throw Bad(file, name, "an object with token ids as keys", value);
                    foreach (JsonProperty token in value.EnumerateObject()) AddedToken(token.Value, $"{name}.{token.Name}", file, hasId: false);
                    break;
                default:
                    bool isPart = Parts.TryGetValue(name, out string? steps);
                    if (isPart && value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Null)) throw Bad(file, name, "an object or null", value);
                    Value(name, name, value, file);
                    if (isPart && value.ValueKind == JsonValueKind.Object) Part(value, steps!, name, file);
                    break;
            }
        }
    }

    private static void Model(JsonElement model, string file)
    {
        if (model.ValueKind != JsonValueKind.Object) throw Bad(file, "model", "an object", model);
        foreach (JsonProperty property in model.EnumerateObject())
        {
            switch (property.Name)
            {
                case "vocab":
                    Vocabulary(property.Value, file);
                    break;
                case "merges":
                    Merges(property.Value, file);
                    break;
                case "unk_id":
                    if (property.Value.ValueKind != JsonValueKind.Null && !Id(property.Value)) throw Bad(file, "model.unk_id", "a token id or null", property.Value);
                    break;
                default:
                    Value(property.Name, "model." + property.Name, property.Value, file);
                    break;
            }
        }
    }

    private static void Vocabulary(JsonElement vocabulary, string file)
    {
        if (vocabulary.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty piece in vocabulary.EnumerateObject())
            {
                if (!Id(piece.Value)) throw Bad(file, $"model.vocab, piece '{piece.Name}'", "a token id", piece.Value);
            }

            return;
        }

        if (vocabulary.ValueKind != JsonValueKind.Array) throw Bad(file, "model.vocab", "an object or a list", vocabulary);
        foreach (JsonElement piece in vocabulary.EnumerateArray())
        {
            if (piece.ValueKind != JsonValueKind.Array || piece.GetArrayLength() != 2 || piece[0].ValueKind != JsonValueKind.String || !Finite(piece[1]))
                throw Bad(file, "model.vocab", "a list of [piece, score]", piece);
        }
    }

    private static void Merges(JsonElement merges, string file)
    {
        if (merges.ValueKind != JsonValueKind.Array) throw Bad(file, "model.merges", "a list", merges);
        bool? pairs = null;
        foreach (JsonElement merge in merges.EnumerateArray())
        {
            bool pair = merge.ValueKind == JsonValueKind.Array;
            bool good = pair
                ? merge.GetArrayLength() == 2 && merge[0].ValueKind == JsonValueKind.String && merge[1].ValueKind == JsonValueKind.String
                : merge.ValueKind == JsonValueKind.String && merge.GetString()!.IndexOf(' ', StringComparison.Ordinal) > 0;
            if (!good || (pairs ??= pair) != pair) throw Bad(file, "model.merges", "a list of \"left right\", or one of [left, right]", merge);
        }
    }

    private static void AddedTokens(JsonElement tokens, string file)
    {
        if (tokens.ValueKind != JsonValueKind.Array) throw Bad(file, "added_tokens", "a list", tokens);
        foreach (JsonElement token in tokens.EnumerateArray()) AddedToken(token, "added_tokens", file, hasId: true);
    }

    private static void AddedToken(JsonElement token, string at, string file, bool hasId)
    {
        if (token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content) || content.ValueKind != JsonValueKind.String
            || (hasId && (!token.TryGetProperty("id", out JsonElement id) || !Id(id))))
            throw Bad(file, at, hasId ? "an object with content (text) and id (a whole number)" : "an object with content (text)", token);
        foreach (JsonProperty property in token.EnumerateObject())
        {
            if (property.Name != "id") Value(property.Name, $"{at}.{property.Name}", property.Value, file);
        }
    }

    // Everywhere else a key's name says its type.
    private static void Value(string name, string at, JsonElement value, string file)
    {
        JsonValueKind kind = value.ValueKind;
        bool flag = kind is JsonValueKind.True or JsonValueKind.False, text = kind == JsonValueKind.String, none = kind == JsonValueKind.Null;
        // At the root of tokenizer_config.json a null is common and taken as none; inside tokenizer.json it is not.
        bool atRoot = at == name && file.EndsWith("tokenizer_config.json", StringComparison.Ordinal) && name == "add_prefix_space";
        if (Flags.Contains(name) && !flag && !(atRoot && none)) throw Bad(file, at, "true or false", value);
        if (FlagsOrNull.Contains(name) && !flag && !none) throw Bad(file, at, "true, false or null", value);
        if (Texts.Contains(name) && !text) throw Bad(file, at, "text", value);
        // Inside a template an id is a piece.
        if (name == "id" && !text) throw Bad(file, at, "text", value);
        if (Numbers.Contains(name) && kind != JsonValueKind.Number) throw Bad(file, at, "a number", value);
        if (Lists.Contains(name) && kind != JsonValueKind.Array) throw Bad(file, at, "a list", value);
        if (Objects.Contains(name) && kind != JsonValueKind.Object) throw Bad(file, at, "an object", value);
        if (name == "ids" && value.EnumerateArray().Any(i => !Id(i))) throw Bad(file, at, "a list of token ids", value);
        if (name == "tokens" && value.EnumerateArray().Any(t => t.ValueKind != JsonValueKind.String)) throw Bad(file, at, "a list of texts", value);
        if (name is "processors" or "normalizers" or "pretokenizers" or "decoders" or "single" or "pair" && value.EnumerateArray().Any(p => p.ValueKind != JsonValueKind.Object))
            throw Bad(file, at, "a list of objects", value);
        if (TextsOrNull.Contains(name) && !text && !none && !IsToken(value)) throw Bad(file, at, "text or null", value);
        if (Tokens.Contains(name) && !text && !none && !IsToken(value)) throw Bad(file, at, "text, a token's description or null", value);
        switch (kind)
        {
            case JsonValueKind.Number when !Finite(value):
                throw Bad(file, at, "a finite number", value);
            case JsonValueKind.Object:
                foreach (JsonProperty property in value.EnumerateObject()) Value(property.Name, $"{at}.{property.Name}", property.Value, file);
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in value.EnumerateArray()) Value("", at, item, file);
                break;
        }
    }

    // What is read of a part, here or by the native tokenizer, is there. The types of what is there are checked before.
    private static void Part(JsonElement part, string steps, string at, string file)
    {
        string type = Required(part, "type", at, file).GetString()!;
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement step in Required(part, steps, at, file).EnumerateArray()) Part(step, steps, $"{at}.{steps}", file);
                break;
            case "TemplateProcessing":
                JsonElement single = Required(part, "single", at, file);
                if (single.GetArrayLength() == 0) throw Bad(file, $"{at}.single", "a list that is not empty", single);
                foreach (JsonElement piece in single.EnumerateArray())
                {
                    if (piece.TryGetProperty("SpecialToken", out JsonElement special)) Required(special, "id", $"{at}.single.SpecialToken", file);
                }

                break;
            case "Replace":
                Required(part, "pattern", at, file);
                Required(part, "content", at, file);
                break;
        }
    }

    private static JsonElement Required(JsonElement part, string key, string at, string file) =>
        part.TryGetProperty(key, out JsonElement value) ? value : throw Bad(file, at, $"an object with '{key}'", part);

    private static bool IsToken(JsonElement value) => value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String;

    private static bool Id(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id is >= 0 and < TokenizerFiles.MostIds;

    private static bool Finite(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number);

    private static BadModelException Bad(string file, string at, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new BadModelException($"{file}: {at} must be {expected}; found {Excerpt.Of(text)}. The tokenizer is damaged or of a kind that is not known; copy it again from where the model was trained.");
    }
}

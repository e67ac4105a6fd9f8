using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Tokenization;

/// <summary>What a folder's files say about its tokenizer: vocabulary, special tokens, decoder and chat template.</summary>
internal sealed class TokenizerFiles
{
    /// <summary>Far above any vocabulary.</summary>
    internal const int MostIds = 1 << 24;

    internal const string TemplateFile = "chat_template.jinja";

    internal static readonly string[] JsonFiles = ["tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json", "genai_config.json"];

    private readonly Dictionary<string, JsonElement> _json = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _idOfPiece = new(StringComparer.Ordinal);

    private TokenizerFiles(string folder) => Folder = folder;

    internal string Folder { get; }
    internal string?[] Pieces { get; private set; } = [];
    internal HashSet<int> SpecialIds { get; } = [];
    /// <summary>Tokens that stand for themselves in a text, special or not.</summary>
    internal Dictionary<string, int> AddedTokens { get; } = new(StringComparer.Ordinal);
    internal int? BosId { get; private set; }
    internal IReadOnlyList<int> EosIds { get; private set; } = [];
    internal int? PadId { get; private set; }
    internal bool AddsBos { get; private set; }
    internal string? ChatTemplate { get; private set; }
    internal JsonElement Tokenizer => _json["tokenizer.json"];

    internal static TokenizerFiles Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new BadModelException($"{folder}: no such folder; expected a model folder with tokenizer.json.");
        TokenizerFiles files = new(folder);
        foreach (string name in JsonFiles)
            files.Load(name);
        if (!files._json.ContainsKey("tokenizer.json"))
            throw new BadModelException($"{folder}: tokenizer.json is missing; without it prompts cannot be encoded. Copy it from the folder the model was trained in.");
        if (!files._json.ContainsKey("tokenizer_config.json"))
            throw new BadModelException($"{folder}: tokenizer_config.json is missing; ONNX Runtime GenAI needs it beside tokenizer.json. Copy it from the folder the model was trained in.");
        foreach (string name in (string[])["tokenizer.json", "tokenizer_config.json"]) TokenizerSchema.Check(files._json[name], Path.Combine(folder, name));
        try
        {
            files.ReadVocabulary();
            files.ReadSpecialTokens();
            files.ReadChatTemplate();
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{folder}: tokenizer.json or a configuration beside it is not of the expected form: {e.Message}", e);
        }
        return files;
    }

    internal int? IdOf(string piece) => _idOfPiece.TryGetValue(piece, out int id) ? id : null;

    private void Load(string name)
    {
        string path = Path.Combine(Folder, name);
        if (!File.Exists(path))
            return;
        try
        {
            byte[] bytes = File.ReadAllBytes(path);
            // The parser leaves texts unchecked until they are read, here or in native code.
            if (!System.Text.Unicode.Utf8.IsValid(bytes)) throw new BadModelException($"{path}: not valid UTF-8; the file is damaged. Copy it again from where the model was trained.");
            using JsonDocument document = JsonDocument.Parse(bytes);
            if (bytes.AsSpan().IndexOf("\\ud"u8) >= 0 || bytes.AsSpan().IndexOf("\\uD"u8) >= 0) ReadTexts(document.RootElement);
            _json[name] = document.RootElement.Clone();
        }
        catch (InvalidOperationException e)
        {
            throw new BadModelException($"{path}: a text holds half of a surrogate pair (\\ud800 to \\udfff alone), which is no character; the file is damaged. Copy it again from where the model was trained.", e);
        }
        catch (JsonException e)
        {
            throw new BadModelException($"{path}: not valid JSON: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadModelException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    // Escapes too are unchecked until they are read, and the native tokenizer ends the process over half a surrogate pair.
    private static void ReadTexts(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray()) ReadTexts(item);
                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    ReadTexts(property.Value);
                }

                break;
        }
    }

    private void ReadVocabulary()
    {
        JsonElement vocabulary = Tokenizer.GetProperty("model").GetProperty("vocab");
        if (vocabulary.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty piece in vocabulary.EnumerateObject())
                _idOfPiece[piece.Name] = piece.Value.GetInt32();
        }
        else
        {
            // Unigram: a list of [piece, score].
            int id = 0;
            foreach (JsonElement entry in vocabulary.EnumerateArray())
                _idOfPiece[entry[0].GetString()!] = id++;
        }
        if (Tokenizer.TryGetProperty("added_tokens", out JsonElement added) && added.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement token in added.EnumerateArray())
            {
                string content = token.GetProperty("content").GetString()!;
                int id = token.GetProperty("id").GetInt32();
                _idOfPiece[content] = id;
                AddedTokens[content] = id;
                if (token.TryGetProperty("special", out JsonElement special) && special.ValueKind == JsonValueKind.True)
                    SpecialIds.Add(id);
            }
        }
        if (_idOfPiece.Count == 0)
            throw new BadModelException($"{Folder}: tokenizer.json holds an empty vocabulary.");
        foreach ((string piece, int id) in _idOfPiece)
        {
            // Before the table is made: one damaged id must not become gigabytes.
            if (id is < 0 or >= MostIds) throw new BadModelException($"{Folder}: tokenizer.json gives '{piece}' the id {id}; ids lie between 0 and {MostIds - 1}.");
        }

        Pieces = new string?[_idOfPiece.Values.Max() + 1];
        foreach ((string piece, int id) in _idOfPiece)
            Pieces[id] = piece;
    }

    private void ReadSpecialTokens()
    {
        BosId = IdsFor("bos").Cast<int?>().FirstOrDefault();
        EosIds = IdsFor("eos");
        PadId = IdsFor("pad").Cast<int?>().FirstOrDefault(id => id >= 0);
        AddsBos = BosId is { } bos && (Setting("tokenizer_config.json", "add_bos_token") is { ValueKind: JsonValueKind.True or JsonValueKind.False } says
            ? says.GetBoolean()
            : Tokenizer.TryGetProperty("post_processor", out JsonElement processor) && BeginsWith(processor, Pieces[bos]));
    }

    /// <summary>The ids of a role: the file nearest to deployment that names them decides.</summary>
    private List<int> IdsFor(string role)
    {
        string key = role + "_token_id";
        (string File, JsonElement? Value)[] sources =
        [
            ("genai_config.json", Setting("genai_config.json", "model") is { ValueKind: JsonValueKind.Object } model && model.TryGetProperty(key, out JsonElement id) ? id : null),
            ("generation_config.json", Setting("generation_config.json", key)),
            ("config.json", Setting("config.json", key)),
        ];
        foreach ((string file, JsonElement? source) in sources)
        {
            if (source is { ValueKind: JsonValueKind.Number } one)
                return [Id(one, role, file)];
            if (source is { ValueKind: JsonValueKind.Array } many && many.GetArrayLength() > 0)
                return [.. many.EnumerateArray().Select(value => Id(value, role, file))];
        }
        JsonElement? token = Setting("tokenizer_config.json", role + "_token");
        string? content = token switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString(),
            { ValueKind: JsonValueKind.Object } described when described.TryGetProperty("content", out JsonElement text) => text.GetString(),
            _ => null,
        };
        return content is not null && IdOf(content) is { } found ? [found] : [];
    }

    // Padding is never computed with, and older models write −1 for none. A prompt begins with BOS, so it must be a piece of the tokenizer; a model may end
    // with an id of its own.
    private int Id(JsonElement value, string role, string file)
    {
        int most = role == "bos" ? Pieces.Length - 1 : MostIds - 1, least = role == "pad" ? int.MinValue : 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id >= least && id <= most
            ? id
            : throw new BadModelException($"{Path.Combine(Folder, file)}: {role}_token_id holds {Excerpt.Of(value.GetRawText())}; expected a token id from 0 to {most}. Correct it, or copy the file again from where the model was trained.");
    }

    private static bool BeginsWith(JsonElement processor, string? bos)
    {
        if (processor.ValueKind != JsonValueKind.Object)
            return false;
        return processor.GetProperty("type").GetString() switch
        {
            "Sequence" => processor.GetProperty("processors").EnumerateArray().Any(inner => BeginsWith(inner, bos)),
            "TemplateProcessing" => processor.GetProperty("single")[0].TryGetProperty("SpecialToken", out JsonElement first)
                && first.GetProperty("id").GetString() == bos,
            _ => false,
        };
    }

    private void ReadChatTemplate()
    {
        string separate = Path.Combine(Folder, TemplateFile);
        if (File.Exists(separate))
        {
            ChatTemplate = File.ReadAllText(separate);
            return;
        }
        ChatTemplate = Setting("tokenizer_config.json", "chat_template") is { ValueKind: JsonValueKind.String } template ? template.GetString() : null;
    }

    private JsonElement? Setting(string file, string key) =>
        _json.TryGetValue(file, out JsonElement root) && root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out JsonElement value)
            ? value : null;
}

using System.Text;
using System.Text.Json;
using Rlhf.Core;
using Rlhf.Tokenization.Native;
using Rlhf.Tokenization.Text;

namespace Rlhf.Tokenization;

/// <summary>
/// The tokenizer of a model folder, Hugging Face or ONNX: GenAI's own, so that training, scoring and deployment see the same ids. All methods
/// may be called from several threads at once.
/// </summary>
public sealed class Tokenizer : IDisposable
{
    private readonly TokenizerFiles _files;
    private readonly GenAITokenizer _native;
    private readonly PieceBytes? _pieces;

    private Tokenizer(TokenizerFiles files)
    {
        _files = files;
        _pieces = PieceBytes.Of(files);
        _native = new GenAITokenizer(files.Folder);
    }

    /// <summary>Opens the tokenizer of a folder that holds <c>tokenizer.json</c> and <c>tokenizer_config.json</c>; no model is needed.</summary>
    /// <exception cref="BadModelException">A file is missing or damaged, or GenAI does not know this kind of tokenizer.</exception>
    /// <exception cref="EngineException">The GenAI library is not installed.</exception>
    public static Tokenizer Open(string folder) => new(TokenizerFiles.Read(folder));

    /// <summary>Names of all files from which a folder's tokenizer may be read, here or by GenAI; a folder has some of them.</summary>
    public static IReadOnlyList<string> FileNames { get; } =
        [.. TokenizerFiles.JsonFiles, TokenizerFiles.TemplateFile, "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model"];

    /// <summary>The folder it was opened from.</summary>
    public string Folder => _files.Folder;

    /// <summary>One more than the largest id of the tokenizer; a model may have more rows than that.</summary>
    public int VocabularySize => _files.Pieces.Length;

    /// <summary>The beginning-of-sequence id, if the folder names one.</summary>
    public int? BosId => _files.BosId;

    /// <summary>The ids that end a response. From genai_config.json, else generation_config.json, config.json, tokenizer_config.json.</summary>
    public IReadOnlyList<int> EosIds => _files.EosIds;

    /// <summary>The padding id, if the folder names one. Never used to tell padding from text: masks and lengths are explicit.</summary>
    public int? PadId => _files.PadId;

    /// <summary>Whether <see cref="EncodePrompt"/> puts BOS first: add_bos_token of tokenizer_config.json, else the post-processor of tokenizer.json.</summary>
    public bool AddsBos => _files.AddsBos;

    /// <summary>Whether an id is a special token, which decoding leaves out.</summary>
    public bool IsSpecial(int id) => _files.SpecialIds.Contains(id);

    /// <summary>The id of a piece as tokenizer.json spells it, if there is one.</summary>
    public int? IdOf(string piece) => _files.IdOf(piece);

    /// <summary>The piece of an id as tokenizer.json spells it; null for ids without one.</summary>
    public string? PieceOf(int id) => (uint)id < (uint)_files.Pieces.Length ? _files.Pieces[id] : null;

    /// <summary>The ids of a text and nothing else: no BOS, no EOS. What GenAI cannot be given, U+0000 and unpaired surrogates, it is given as U+FFFD.</summary>
    public int[] Encode(string text) => text.Length == 0 ? [] : _native.Encode(text);

    /// <summary>The ids of each text.</summary>
    public int[][] Encode(IReadOnlyList<string> texts) => [.. texts.Select(Encode)];

    /// <summary>The ids a model is prompted with: BOS first where the model was trained so and the text does not begin with it already.</summary>
    public int[] EncodePrompt(string text)
    {
        int[] ids = Encode(text);
        return AddsBos && BosId is { } bos && (ids.Length == 0 || ids[0] != bos) ? [bos, .. ids] : ids;
    }

    /// <summary>The text of some ids, without special tokens. Ids beyond the vocabulary have no text.</summary>
    /// <remarks>SentencePiece tokenizers keep the space before the first word, so that prompt and response put together are the whole text.</remarks>
    public string Decode(ReadOnlySpan<int> ids)
    {
        if (_pieces is null)
            return _native.Decode(ids);
        TextStream stream = new(_pieces);
        StringBuilder text = new(ids.Length * 4);
        foreach (int id in ids)
            text.Append(stream.Append(id));
        return text.Append(stream.Finish()).ToString();
    }

    /// <summary>GenAI's own decoding, which <see cref="Decode"/> agrees with except where GenAI's cuts the text: at U+0000 and at bytes that are no UTF-8.</summary>
    internal string DecodeByGenAI(ReadOnlySpan<int> ids) => _native.Decode(ids);

    /// <summary>A decoder for ids that come one by one.</summary>
    /// <exception cref="BadModelException">The decoder of tokenizer.json is neither byte-level nor SentencePiece.</exception>
    public TextStream CreateStream() => new(Pieces);

    /// <summary>The bytes an id adds to a text; empty for special tokens. The length in bytes of a text is what bits per byte divides by.</summary>
    /// <exception cref="BadModelException">The decoder of tokenizer.json is neither byte-level nor SentencePiece.</exception>
    public ReadOnlySpan<byte> BytesOf(int id) => (uint)id < (uint)Pieces.Bytes.Length ? Pieces.Bytes[id] : [];

    /// <summary>Writes a conversation as the model's chat template says.</summary>
    /// <param name="messages">The turns, oldest first.</param>
    /// <param name="addGenerationPrompt">Whether to end with the opening of the assistant's next turn.</param>
    /// <exception cref="BadModelException">The folder has no chat template.</exception>
    public string ApplyChatTemplate(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        string template = _files.ChatTemplate ?? throw new BadModelException(
            $"{Folder}: no chat template (chat_template in tokenizer_config.json, or chat_template.jinja), but the prompt is a conversation. Give plain text prompts, or add the template.");
        string json = JsonSerializer.Serialize(messages.Select(message => new Dictionary<string, string> { ["role"] = message.Role, ["content"] = message.Content }));
        return _native.ApplyChatTemplate(template, json, addGenerationPrompt);
    }

    public void Dispose() => _native.Dispose();

    private PieceBytes Pieces => _pieces ?? throw new BadModelException(
        $"{Folder}: the decoder of tokenizer.json is of a kind that cannot be decoded token by token; expected ByteLevel or SentencePiece (Replace, ByteFallback, Fuse, Strip).");
}

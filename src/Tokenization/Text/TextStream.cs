using System.Text;

namespace Rlhf.Tokenization.Text;

/// <summary>
/// Decodes ids while they are generated. A character whose bytes are spread over several tokens comes out when its last byte has come, never
/// before and never as a replacement character; so a stop string can be looked for in what has come out.
/// </summary>
public sealed class TextStream
{
    private readonly PieceBytes _pieces;
    private readonly Decoder _decoder = new UTF8Encoding(false, throwOnInvalidBytes: false).GetDecoder();

    internal TextStream(PieceBytes pieces) => _pieces = pieces;

    /// <summary>The text that this id completes; empty while a character is incomplete and for special tokens.</summary>
    public string Append(int id)
    {
        // Models often have more rows than their tokenizer has pieces; such an id has no text.
        if ((uint)id >= (uint)_pieces.Bytes.Length)
            return id >= 0 ? "" : throw new ArgumentOutOfRangeException(nameof(id), id, "a token id is not negative");
        return Decode(_pieces.Bytes[id], flush: false);
    }

    /// <summary>What is left at the end: a replacement character where the last character stayed incomplete, else nothing.</summary>
    public string Finish() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        Span<char> chars = bytes.Length < 128 ? stackalloc char[bytes.Length + 4] : new char[bytes.Length + 4];
        return new string(chars[.._decoder.GetChars(bytes, chars, flush)]);
    }
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Tokenization.Text;

/// <summary>
/// The bytes that each id adds to a text, for the two families of decoders that language models use: byte-level BPE (GPT-2, Llama 3, Qwen) and
/// SentencePiece with byte fallback (Llama 2, Mistral, Gemma). Special tokens add nothing. The space that SentencePiece puts before the first word
/// stays: a response that continues a prompt needs it. (GenAI's decoder drops it right after BOS, and only there.)
/// </summary>
internal sealed record PieceBytes(byte[][] Bytes)
{
    /// <summary>The table of a folder, or null when its decoder is of another family.</summary>
    internal static PieceBytes? Of(TokenizerFiles files)
    {
        if (!files.Tokenizer.TryGetProperty("decoder", out JsonElement decoder) || decoder.ValueKind != JsonValueKind.Object)
            return null;
        Func<string, byte[]?> bytesOf;
        switch (TypeOf(decoder))
        {
            case "ByteLevel":
                bytesOf = ByteAlphabet.BytesOf;
                break;
            case "Metaspace":
                bytesOf = SentencePiece;
                break;
            case "Sequence" when IsSentencePiece(decoder):
                bytesOf = SentencePiece;
                break;
            default:
                return null;
        }

        byte[][] bytes = new byte[files.Pieces.Length][];
        for (int id = 0; id < bytes.Length; id++)
        {
            string? piece = files.Pieces[id];
            if (piece is null || files.SpecialIds.Contains(id))
                bytes[id] = [];
            else if (files.AddedTokens.ContainsKey(piece))
                bytes[id] = Encoding.UTF8.GetBytes(piece);
            else if (bytesOf(piece) is { } known)
                bytes[id] = known;
            else
                return null;
        }
        return new PieceBytes(bytes);
    }

    /// <summary>Replace ▁ by a space, byte fallback, fuse, and perhaps a strip: the decoder of converted SentencePiece models.</summary>
    private static bool IsSentencePiece(JsonElement sequence)
    {
        bool replaces = false;
        foreach (JsonElement step in sequence.GetProperty("decoders").EnumerateArray())
        {
            switch (TypeOf(step))
            {
                case "Replace" when step.GetProperty("pattern").TryGetProperty("String", out JsonElement pattern)
                        && pattern.GetString() == "▁" && step.GetProperty("content").GetString() == " ":
                    replaces = true;
                    break;
                case "ByteFallback" or "Fuse" or "Strip":
                    break;
                default:
                    return false;
            }
        }
        return replaces;
    }

    private static byte[] SentencePiece(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
            && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? [value]
            : Encoding.UTF8.GetBytes(piece.Replace('▁', ' '));

    private static string? TypeOf(JsonElement decoder) => decoder.GetProperty("type").GetString();
}

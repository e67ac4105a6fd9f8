using System.Text;

namespace Rlhf.Tokenization.Bpe;

/// <summary>
/// The printable alphabet of byte-level BPE (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): each of the 256
/// bytes is written as one visible character, so that pieces can be stored as JSON strings. Printable Latin-1 bytes stand for themselves,
/// the other 68 are numbered from U+0100 upward.
/// </summary>
public static class ByteAlphabet
{
    private static readonly char[] s_charOfByte = MakeChars();
    private static readonly Dictionary<char, byte> s_byteOfChar =
        Enumerable.Range(0, 256).ToDictionary(value => s_charOfByte[value], value => (byte)value);

    /// <summary>The character that stands for a byte.</summary>
    public static char CharOf(byte value) => s_charOfByte[value];

    /// <summary>Whether a character stands for a byte, and for which.</summary>
    public static bool TryGetByte(char character, out byte value) => s_byteOfChar.TryGetValue(character, out value);

    /// <summary>The bytes that a piece stands for, or null when it holds a character outside the alphabet.</summary>
    public static byte[]? BytesOf(string piece)
    {
        byte[] bytes = new byte[piece.Length];
        for (int i = 0; i < piece.Length; i++)
            if (!TryGetByte(piece[i], out bytes[i]))
                return null;
        return bytes;
    }

    /// <summary>The piece that stands for some bytes.</summary>
    public static string PieceOf(ReadOnlySpan<byte> bytes)
    {
        StringBuilder piece = new(bytes.Length);
        foreach (byte value in bytes)
            piece.Append(CharOf(value));
        return piece.ToString();
    }

    private static char[] MakeChars()
    {
        char[] chars = new char[256];
        int next = 0x100;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            chars[value] = printable ? (char)value : (char)next++;
        }
        return chars;
    }
}

namespace Rlhf.Tokenization;

/// <summary>GPT-2's byte alphabet: every byte as one printable character, so that any text is a string of known symbols.</summary>
public static class ByteAlphabet
{
    private static readonly char[] ToChar = Build();
    private static readonly Dictionary<char, byte> ToByte = Enumerable.Range(0, 256).ToDictionary(b => ToChar[b], b => (byte)b);

    public static char Symbol(byte value) => ToChar[value];

    public static byte Byte(char symbol) => ToByte[symbol];

    public static bool IsSymbol(char c) => ToByte.ContainsKey(c);

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        Span<char> chars = bytes.Length <= 512 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++) chars[i] = ToChar[bytes[i]];
        return new string(chars);
    }

    private static char[] Build()
    {
        char[] map = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            map[b] = printable ? (char)b : (char)next++;
        }

        return map;
    }
}

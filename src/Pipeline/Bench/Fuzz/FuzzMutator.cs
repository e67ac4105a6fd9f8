using System.Buffers.Binary;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// Damages bytes as disks, copies and strangers do: bit flips, cut ends, sizes that lie, values of another kind; of JSON every second time its structure
/// instead. A pure function of (seed, number), so that a finding can be made again.
/// </summary>
internal static class FuzzMutator
{
    private static readonly string[] Values =
        ["null", "[]", "{}", "\"\"", "-1", "0", "1e999", "-1e999", "NaN", "2147483647", "4294967296", "9223372036854775807", "99999999999999999999", "true", "[null]", "\"../../etc/passwd\"", "\"/etc/passwd\"", "\"\\ud800\"", "{\"\\ud800\": 1}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["];

    private static readonly ulong[] Sizes = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0x1_0000_0000, 0x1000_0000];

    public static byte[] Mutate(byte[] whole, ulong seed, uint number, FuzzFormat format)
    {
        uint draw = 0;
        ulong Bits() => AddressedRandom.Bits(seed, AddressedRandom.Stream.Augmentation, number, draw++);
        int At(int below) => below <= 0 ? 0 : (int)(Bits() % (ulong)below);

        // Headers and footers decide about everything else: half of all damage is done there.
        int Place(int room) => room <= 0 ? 0 : (Bits() % 4) switch { 0 => At(Math.Min(room, 64)), 1 => room - 1 - At(Math.Min(room, 64)), _ => At(room) };

        byte[] bytes = [.. whole];
        if (bytes.Length == 0) return bytes;
        if (format == FuzzFormat.Json && At(2) == 0) return FuzzJson.Mutate(bytes, At);
        switch (Bits() % (format == FuzzFormat.Binary ? 7u : 9u))
        {
            case 0: // one to eight bits
                for (int n = 1 + At(8); n > 0; n--) bytes[Place(bytes.Length)] ^= (byte)(1 << At(8));
                return bytes;
            case 1: // cut short
                return bytes[..Place(bytes.Length)];
            case 2: // a size that lies, 32 or 64 bits
                int width = At(2) == 0 ? 4 : 8;
                if (bytes.Length < width) goto case 0;
                Span<byte> target = bytes.AsSpan(Place(bytes.Length - width + 1), width);
                ulong size = Sizes[At(Sizes.Length)];
                if (width == 4) BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)size);
                else BinaryPrimitives.WriteUInt64LittleEndian(target, size);
                return bytes;
            case 3: // a byte of any value
                bytes[Place(bytes.Length)] = (byte)Bits();
                return bytes;
            case 4: // a part twice
                int from = Place(bytes.Length), length = Math.Min(1 + At(64), bytes.Length - from);
                return [.. bytes[..from], .. bytes.AsSpan(from, length), .. bytes[from..]];
            case 5: // a part missing
                int hole = Place(bytes.Length), gone = Math.Min(1 + At(64), bytes.Length - hole);
                return [.. bytes[..hole], .. bytes[(hole + gone)..]];
            case 6: // zeros, as a lost page
                int start = Place(bytes.Length);
                bytes.AsSpan(start, Math.Min(1 << At(13), bytes.Length - start)).Clear();
                return bytes;
            case 7: // another value after a colon or a comma
                int colon = Array.FindIndex(bytes, Place(bytes.Length), b => b is (byte)':' or (byte)',');
                if (colon < 0) goto case 3;
                int end = Array.FindIndex(bytes, colon + 1, b => b is (byte)',' or (byte)'}' or (byte)']' or (byte)'\n');
                return [.. bytes[..(colon + 1)], .. Encoding.UTF8.GetBytes(" " + Values[At(Values.Length)]), .. bytes[(end < 0 ? bytes.Length : end)..]];
            default: // digits become a huge number
                int digit = Array.FindIndex(bytes, Place(bytes.Length), b => char.IsAsciiDigit((char)b));
                if (digit < 0) goto case 3;
                int after = Array.FindIndex(bytes, digit, b => !char.IsAsciiDigit((char)b));
                return [.. bytes[..digit], .. Encoding.UTF8.GetBytes(Values[4 + At(9)]), .. bytes[(after < 0 ? bytes.Length : after)..]];
        }
    }
}

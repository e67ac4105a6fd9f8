using System.Buffers.Binary;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>
/// Walks a Parquet file's footer (Thrift's compact protocol) before DuckDB does, which makes room for as many elements as a list says that it has: four
/// damaged bytes cost 20 seconds. Nothing else is judged here; what is damaged in another way, DuckDB tells.
/// </summary>
internal ref struct ParquetFooter
{
    private const int TailBytes = 8, DeepestLevel = 32;
    private ReadOnlySpan<byte> _rest;
    private long _lie; // elements of a list that cannot have them

    /// <exception cref="BadDataException">A list of the footer says that it has more elements than the footer has bytes for.</exception>
    public static void Check(string path)
    {
        byte[]? bytes = Read(path);
        if (bytes is null) return;
        var footer = new ParquetFooter { _rest = bytes };
        if (!footer.Struct(0) && footer._lie > 0)
            throw new BadDataException($"{path} cannot be read as Parquet: a list in its footer says that it has {footer._lie} elements, which is more than the footer has bytes. The file is damaged, cut short or not of the format that its extension names.");
    }

    private static byte[]? Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> tail = stackalloc byte[TailBytes];
            if (file.Length < 2 * TailBytes) return null;
            file.Seek(-TailBytes, SeekOrigin.End);
            file.ReadExactly(tail);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
            if (!tail[4..].SequenceEqual("PAR1"u8) || length > file.Length - TailBytes || length > Array.MaxLength) return null;
            byte[] footer = new byte[length];
            file.Seek(-TailBytes - (long)length, SeekOrigin.End);
            file.ReadExactly(footer);
            return footer;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // DuckDB meets it too, and says so
        }
    }

    // All of these: false where the rest cannot be walked.
    private bool Struct(int level)
    {
        if (level > DeepestLevel) return false;
        while (Byte(out byte head))
        {
            if (head == 0) return true;
            if (head >> 4 == 0 && !Varint(out _)) return false; // the field's number in full
            if ((head & 15) is not (1 or 2) && !Value(head & 15, level)) return false;
        }

        return false;
    }

    private bool Value(int type, int level)
    {
        switch (type)
        {
            case 1 or 2 or 3: // true, false and a byte, inside a list
                return Skip(1);
            case 4 or 5 or 6:
                return Varint(out _);
            case 7:
                return Skip(sizeof(double));
            case 8:
                return Varint(out ulong length) && Skip(length);
            case 9 or 10:
                if (!Byte(out byte head)) return false;
                ulong count = (ulong)head >> 4;
                return (count < 15 || Varint(out count)) && Elements(count, head & 15, 0, level);
            case 11:
                return Varint(out ulong pairs) && (pairs == 0 || (Byte(out byte types) && Elements(pairs, types >> 4, types & 15, level)));
            case 12:
                return Struct(level + 1);
            default:
                return false;
        }
    }

    // No element takes less than a byte.
    private bool Elements(ulong count, int type, int second, int level)
    {
        if (count > (ulong)_rest.Length)
        {
            _lie = (long)Math.Min(count, long.MaxValue);
            return false;
        }

        for (ulong i = 0; i < count; i++)
        {
            if (!Value(type, level + 1) || (second != 0 && !Value(second, level + 1))) return false;
        }

        return true;
    }

    private bool Byte(out byte value)
    {
        value = _rest.IsEmpty ? (byte)0 : _rest[0];
        return Skip(1);
    }

    private bool Varint(out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (!Byte(out byte part)) return false;
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) return true;
        }

        return false;
    }

    private bool Skip(ulong bytes)
    {
        if (bytes > (ulong)_rest.Length) return false;
        _rest = _rest[(int)bytes..];
        return true;
    }
}

using System.Text;

namespace Rlhf.Core;

/// <summary>Walks the fields of a protobuf message without copying; every length is checked against what is left before it is used.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>The value of a varint or fixed field.</summary>
    public ulong Number { get; private set; }

    /// <summary>The value of a length-delimited field.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>True when the field is length-delimited.</summary>
    public bool HasBytes { get; private set; }

    /// <summary>As UTF-8.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Reads the next field; 0 at the end.</summary>
    /// <exception cref="FormatException">The bytes are no protobuf message.</exception>
    public int Next()
    {
        if (_rest.IsEmpty) return 0;
        ulong key = Varint();
        if (key >> 3 is 0 or > int.MaxValue) throw new FormatException("a field number is out of range");
        Bytes = default;
        HasBytes = false;
        Number = 0;
        switch (key & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                ulong length = Varint();
                if (length > (ulong)_rest.Length) throw new FormatException($"a field of {length} bytes begins where {_rest.Length} are left");
                Bytes = Take((int)length);
                HasBytes = true;
                break;
            case 5:
                Number = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException($"wire type {key & 7} is not used by protobuf 3");
        }

        return (int)(key >> 3);
    }

    /// <summary>Reads the next varint of a packed list; call while <see cref="IsAtEnd"/> is false.</summary>
    public ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80) return value;
        }

        throw new FormatException("a number has more than ten bytes");
    }

    public readonly bool IsAtEnd => _rest.IsEmpty;

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length) throw new FormatException("the message ends inside a field");
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}

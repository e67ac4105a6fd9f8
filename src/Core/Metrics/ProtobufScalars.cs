using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Rlhf.Core;

/// <summary>The four field kinds that a TensorBoard event needs, as protocol buffers encode them.</summary>
internal sealed class ProtobufScalars
{
    private const int Varint = 0, Fixed64 = 1, LengthDelimited = 2, Fixed32 = 5;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    public ProtobufScalars Int64(int field, long value)
    {
        Tag(field, Varint);
        WriteVarint((ulong)value);
        return this;
    }

    public ProtobufScalars Double(int field, double value)
    {
        Tag(field, Fixed64);
        Span<byte> buffer = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(buffer, value);
        _bytes.Write(buffer);
        return this;
    }

    public ProtobufScalars Float(int field, float value)
    {
        Tag(field, Fixed32);
        Span<byte> buffer = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(buffer, value);
        _bytes.Write(buffer);
        return this;
    }

    public ProtobufScalars Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));
    public ProtobufScalars Message(int field, ProtobufScalars value) => Bytes(field, value.ToArray());

    private ProtobufScalars Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, LengthDelimited);
        WriteVarint((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    private void Tag(int field, int kind) => WriteVarint((ulong)((field << 3) | kind));

    private void WriteVarint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) _bytes.Write([(byte)(value | 0x80)]);
        _bytes.Write([(byte)value]);
    }
}

using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>Between float32 and the storage formats, vectorised. Narrowing rounds to nearest, ties to even; NaN stays NaN.</summary>
public static class FloatConversion
{
    /// <summary>Widens stored bytes (little-endian, destination.Length × the type's size) to float32, exactly.</summary>
    public static void ToSingle(ReadOnlySpan<byte> stored, SafetensorsType type, Span<float> destination)
    {
        if (stored.Length != (long)destination.Length * type.Size())
            throw new ArgumentException($"{stored.Length} bytes do not hold {destination.Length} numbers of {type}.", nameof(stored));
        if (type == SafetensorsType.F32) stored.CopyTo(MemoryMarshal.AsBytes(destination));
        else if (type == SafetensorsType.F16) TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(stored), destination);
        else WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(stored), destination);
    }

    /// <summary>Narrows float32 to stored bytes (little-endian).</summary>
    public static void FromSingle(ReadOnlySpan<float> source, SafetensorsType type, Span<byte> stored)
    {
        if (stored.Length != (long)source.Length * type.Size())
            throw new ArgumentException($"{stored.Length} bytes do not hold {source.Length} numbers of {type}.", nameof(stored));
        if (type == SafetensorsType.F32) MemoryMarshal.AsBytes(source).CopyTo(stored);
        else if (type == SafetensorsType.F16) TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(stored));
        else NarrowBFloat16(source, MemoryMarshal.Cast<byte, ushort>(stored));
    }

    /// <summary>Index of the first NaN or infinity, or −1.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> values)
    {
        const uint exponent = 0x7F800000;
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        var mask = Vector256.Create(exponent);
        int i = 0;
        for (; i <= bits.Length - Vector256<uint>.Count; i += Vector256<uint>.Count)
        {
            if (Vector256.EqualsAny(Vector256.Create(bits[i..]) & mask, mask)) break;
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & exponent) == exponent) return i;
        }

        return -1;
    }

    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(source[i..]));
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector256<uint>.Count)..]);
        }

        for (; i < source.Length; i++) bits[i] = (uint)source[i] << 16;
    }

    private static void NarrowBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(source);
        int i = 0;
        for (; i <= bits.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            Vector256<uint> low = Round(Vector256.Create(bits[i..])), high = Round(Vector256.Create(bits[(i + Vector256<uint>.Count)..]));
            Vector256.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < bits.Length; i++) destination[i] = (ushort)Round(Vector256.CreateScalar(bits[i])).ToScalar();
    }

    /// <summary>The upper 16 bits after rounding to nearest even; a NaN keeps its upper bits and is made quiet so that it cannot become infinity.</summary>
    private static Vector256<uint> Round(Vector256<uint> bits)
    {
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;
        Vector256<uint> isNaN = Vector256.GreaterThan(bits & Vector256.Create(0x7FFFFFFFu), Vector256.Create(0x7F800000u));
        return Vector256.ConditionalSelect(isNaN, (bits >> 16) | Vector256.Create(0x40u), rounded);
    }
}

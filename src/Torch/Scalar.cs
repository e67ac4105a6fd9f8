using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>A number that takes part in an operation with a tensor without raising the tensor's type (2.0 times an int tensor excepted).</summary>
public sealed class Scalar : IDisposable
{
    internal readonly ArgTag Tag;
    internal readonly long Bits;

    private Scalar(ArgTag tag, long bits, ScalarType type)
    {
        Tag = tag;
        Bits = bits;
        Type = type;
    }

    /// <summary>The type of number that it was made from.</summary>
    public ScalarType Type { get; }

    // A number without a wished type becomes a float32, int64 or bool tensor, as in PyTorch.
    internal ScalarType TensorType => Tag switch { ArgTag.Bool => ScalarType.Bool, ArgTag.Int => ScalarType.Int64, _ => ScalarType.Float32 };

    internal double AsDouble => Tag == ArgTag.Double ? BitConverter.Int64BitsToDouble(Bits) : Bits;

    internal long AsInt64 => Tag == ArgTag.Double ? (long)BitConverter.Int64BitsToDouble(Bits) : Bits;

    public static implicit operator Scalar(bool value) => new(ArgTag.Bool, value ? 1 : 0, ScalarType.Bool);

    public static implicit operator Scalar(byte value) => new(ArgTag.Int, value, ScalarType.Byte);

    public static implicit operator Scalar(sbyte value) => new(ArgTag.Int, value, ScalarType.Int8);

    public static implicit operator Scalar(short value) => new(ArgTag.Int, value, ScalarType.Int16);

    public static implicit operator Scalar(int value) => new(ArgTag.Int, value, ScalarType.Int32);

    public static implicit operator Scalar(long value) => new(ArgTag.Int, value, ScalarType.Int64);

    public static implicit operator Scalar(float value) => new(ArgTag.Double, BitConverter.DoubleToInt64Bits(value), ScalarType.Float32);

    public static implicit operator Scalar(double value) => new(ArgTag.Double, BitConverter.DoubleToInt64Bits(value), ScalarType.Float64);

    public static implicit operator Scalar(Half value) => new(ArgTag.Double, BitConverter.DoubleToInt64Bits((double)value), ScalarType.Float16);

    /// <summary>Nothing native is held; here so that code written for TorchSharp can dispose its scalars.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "IDisposable")]
    public void Dispose()
    {
    }
}

/// <summary>Conversions between <see cref="Scalar"/> and numbers.</summary>
public static class ScalarExtensionMethods
{
    public static bool ToBoolean(this Scalar value) => value.AsInt64 != 0;

    public static byte ToByte(this Scalar value) => (byte)value.AsInt64;

    public static sbyte ToSByte(this Scalar value) => (sbyte)value.AsInt64;

    public static short ToInt16(this Scalar value) => (short)value.AsInt64;

    public static int ToInt32(this Scalar value) => (int)value.AsInt64;

    public static long ToInt64(this Scalar value) => value.AsInt64;

    public static float ToSingle(this Scalar value) => (float)value.AsDouble;

    public static double ToDouble(this Scalar value) => value.AsDouble;

    public static Scalar ToScalar(this bool value) => value;

    public static Scalar ToScalar(this byte value) => value;

    public static Scalar ToScalar(this sbyte value) => value;

    public static Scalar ToScalar(this short value) => value;

    public static Scalar ToScalar(this int value) => value;

    public static Scalar ToScalar(this long value) => value;

    public static Scalar ToScalar(this float value) => value;

    public static Scalar ToScalar(this double value) => value;
}

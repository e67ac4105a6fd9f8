using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>.NET types and the element types of tensors.</summary>
internal static class ElementTypes
{
    internal static ScalarType Of<T>() => Of(typeof(T));

    internal static ScalarType Of(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.Boolean => ScalarType.Bool,
        TypeCode.Byte => ScalarType.Byte,
        TypeCode.SByte => ScalarType.Int8,
        TypeCode.Int16 => ScalarType.Int16,
        TypeCode.Int32 => ScalarType.Int32,
        TypeCode.Int64 => ScalarType.Int64,
        TypeCode.Single => ScalarType.Float32,
        TypeCode.Double => ScalarType.Float64,
        _ when type == typeof(Half) => ScalarType.Float16,
        _ => throw new ArgumentException($"no tensor element type for {type.Name}"),
    };

    internal static int Size(ScalarType type) => type switch
    {
        ScalarType.Byte or ScalarType.Int8 or ScalarType.Bool or ScalarType.QInt8 or ScalarType.QUInt8 => 1,
        ScalarType.Int16 or ScalarType.Float16 or ScalarType.BFloat16 => 2,
        ScalarType.Int32 or ScalarType.Float32 or ScalarType.QInt32 => 4,
        ScalarType.Int64 or ScalarType.Float64 or ScalarType.ComplexFloat32 => 8,
        ScalarType.ComplexFloat64 => 16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "unknown element type"),
    };

    /// <summary>Bits of a 16-bit float may also be read as <see cref="ushort"/>: .NET has no bfloat16 here.</summary>
    internal static void Require<T>(ScalarType actual, string member) where T : unmanaged
    {
        bool sixteenBits = typeof(T) == typeof(ushort) && actual is ScalarType.BFloat16 or ScalarType.Float16 && Unsafe.SizeOf<T>() == 2;
        if (!sixteenBits && (typeof(T) == typeof(ushort) || Of<T>() != actual))
            throw new ArgumentException($"{member}<{typeof(T).Name}>: the elements are {actual}; convert first (tensor.to(ScalarType.{(typeof(T) == typeof(ushort) ? "BFloat16" : Of<T>().ToString())})) or ask for their own type");
    }
}

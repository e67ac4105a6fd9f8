namespace TorchSharp;

/// <summary>An argument of an operator before it is packed. The implicit conversions let operator calls read like the schema.</summary>
internal readonly struct Value
{
    internal readonly ArgTag Tag;
    internal readonly long Bits;
    internal readonly object? Object;

    private Value(ArgTag tag, long bits = 0, object? value = null)
    {
        Tag = tag;
        Bits = bits;
        Object = value;
    }

    /// <summary>Leaves the argument to the default in the operator's schema.</summary>
    internal static Value Default => new(ArgTag.Default);

    internal static Value None => new(ArgTag.None);

    public static implicit operator Value(torch.Tensor? value) => value is null ? None : new(ArgTag.Tensor, 0, value);
    public static implicit operator Value(torch.Tensor?[] value) => new(ArgTag.TensorList, 0, value);
    public static implicit operator Value(long value) => new(ArgTag.Int, value);
    public static implicit operator Value(int value) => new(ArgTag.Int, value);
    public static implicit operator Value(long? value) => value is null ? None : new(ArgTag.Int, value.Value);
    public static implicit operator Value(double value) => new(ArgTag.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Value(double? value) => value is null ? None : (Value)value.Value;
    public static implicit operator Value(bool value) => new(ArgTag.Bool, value ? 1 : 0);
    public static implicit operator Value(long[]? value) => value is null ? None : new(ArgTag.IntList, 0, value);
    public static implicit operator Value(string? value) => value is null ? None : new(ArgTag.String, 0, value);
    public static implicit operator Value(torch.ScalarType value) => new(ArgTag.Int, (long)value);
    public static implicit operator Value(torch.ScalarType? value) => value is null ? None : new(ArgTag.Int, (long)value.Value);
    public static implicit operator Value(torch.Device? value) => value is null ? None : new(ArgTag.Device, value.Packed);
    public static implicit operator Value(torch.Generator? value) => value is null ? None : new(ArgTag.Generator, 0, value);
    public static implicit operator Value(Scalar? value) => value is null ? None : new(value.Tag, value.Bits);
}

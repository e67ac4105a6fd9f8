namespace Rlhf.Models;

/// <summary>The number formats that weights are stored in.</summary>
public enum SafetensorsType
{
    F32,
    F16,
    BF16,
}

/// <summary>Names and sizes of <see cref="SafetensorsType"/>.</summary>
public static class SafetensorsTypes
{
    /// <summary>Bytes of one number.</summary>
    public static int Size(this SafetensorsType type) => type == SafetensorsType.F32 ? 4 : 2;

    /// <summary>"float32", "float16", "bfloat16": the name that <c>config.json</c> uses.</summary>
    public static string TorchDtype(this SafetensorsType type) => type switch
    {
        SafetensorsType.F16 => "float16",
        SafetensorsType.BF16 => "bfloat16",
        _ => "float32",
    };
}

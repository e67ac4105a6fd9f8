using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntimeGenAI;
using Rlhf.Core;

namespace Rlhf.Generation.GenAi;

/// <summary>Two calls of GenAI's C interface that its C# binding leaves out: reading and replacing the logits of the next token.</summary>
internal static partial class GenAiNative
{
    private const string Library = "onnxruntime-genai";

    /// <summary>Logits of the next token of every sequence, computed first where needed: float32 [batch, 1, vocabulary]. The caller disposes it.</summary>
    public static Tensor GetLogits(Generator generator)
    {
        Check(OgaGenerator_GetLogits(Handle(generator), out nint tensor));
        return Adopt(tensor);
    }

    /// <summary>Replaces the logits that the next token is chosen from; same shape.</summary>
    public static void SetLogits(Generator generator, Tensor logits) => Check(OgaGenerator_SetLogits(Handle(generator), Handle(logits)));

    private static void Check(nint result)
    {
        if (result == 0) return;
        string message = Marshal.PtrToStringUTF8(OgaResultGetError(result)) ?? "no message";
        OgaDestroyResult(result);
        throw new EngineException($"ONNX Runtime GenAI failed while drawing responses: {message}");
    }

    [LibraryImport(Library)]
    private static partial nint OgaGenerator_GetLogits(nint generator, out nint tensor);

    [LibraryImport(Library)]
    private static partial nint OgaGenerator_SetLogits(nint generator, nint tensor);

    [LibraryImport(Library)]
    private static partial nint OgaResultGetError(nint result);

    [LibraryImport(Library)]
    private static partial void OgaDestroyResult(nint result);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_generatorHandle")]
    private static extern ref nint Handle(Generator generator);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_tensorHandle")]
    private static extern ref nint Handle(Tensor tensor);

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern Tensor Adopt(nint handle);
}

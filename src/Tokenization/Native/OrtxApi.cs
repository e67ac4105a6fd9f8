using System.Runtime.InteropServices;

namespace Rlhf.Tokenization.Native;

/// <summary>
/// The C interface of the tokenizer inside the GenAI library. GenAI's own <c>Tokenizer</c> is a thin layer over it that wants a loaded
/// model; these calls open the same tokenizer, with the same options, from a folder that has none.
/// </summary>
internal static partial class OrtxApi
{
    private const string Library = "onnxruntime-genai";

    /// <summary>GenAI's own two options: ids of the text only, and decoded text without special tokens.</summary>
    internal static readonly string[] OptionKeys = ["add_special_tokens", "skip_special_tokens"];
    internal static readonly string[] OptionValues = ["false", "true"];

    [LibraryImport(Library, EntryPoint = "OrtxCreateTokenizerWithOptions", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int CreateTokenizer(out nint tokenizer, string folder, string[] keys, string[] values, nuint count);

    [LibraryImport(Library, EntryPoint = "OrtxTokenize")]
    internal static unsafe partial int Tokenize(OrtxTokenizerHandle tokenizer, byte** texts, nuint count, out nint tokens);

    [LibraryImport(Library, EntryPoint = "OrtxTokenId2DArrayGetItem")]
    internal static unsafe partial int GetTokens(nint tokens, nuint index, out uint* items, out nuint length);

    [LibraryImport(Library, EntryPoint = "OrtxDetokenize1D")]
    internal static unsafe partial int Detokenize(OrtxTokenizerHandle tokenizer, uint* tokens, nuint length, out nint strings);

    [LibraryImport(Library, EntryPoint = "OrtxStringArrayGetItem")]
    internal static partial int GetString(nint strings, nuint index, out nint text);

    [LibraryImport(Library, EntryPoint = "OrtxApplyChatTemplate", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ApplyChatTemplate(
        OrtxTokenizerHandle tokenizer, string template, string messages, string? tools, out nint result,
        [MarshalAs(UnmanagedType.I1)] bool addGenerationPrompt, [MarshalAs(UnmanagedType.I1)] bool tokenize);

    [LibraryImport(Library, EntryPoint = "OrtxTensorResultGetAt")]
    internal static partial int GetTensor(nint result, nuint index, out nint tensor);

    [LibraryImport(Library, EntryPoint = "OrtxGetTensorData")]
    internal static partial int GetTensorData(nint tensor, out nint data, nint shape, nint dimensions);

    [LibraryImport(Library, EntryPoint = "OrtxGetLastErrorMessage")]
    private static partial nint GetLastErrorMessage();

    [LibraryImport(Library, EntryPoint = "OrtxDispose")]
    private static partial int Dispose(ref nint handle);

    internal static void Release(nint handle)
    {
        if (handle != 0)
            Dispose(ref handle);
    }

    internal static string LastError() => Marshal.PtrToStringUTF8(GetLastErrorMessage()) ?? "no message";
}

/// <summary>Owns one native tokenizer.</summary>
internal sealed class OrtxTokenizerHandle : SafeHandle
{
    public OrtxTokenizerHandle() : base(0, ownsHandle: true) { }

    internal OrtxTokenizerHandle(nint tokenizer) : this() => SetHandle(tokenizer);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        OrtxApi.Release(handle);
        return true;
    }
}

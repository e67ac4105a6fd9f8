using System.Runtime.InteropServices;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Tokenization.Native;

/// <summary>GenAI's tokenizer over a folder: encode, decode and chat templates. Calls may come from several threads; encoding takes turns.</summary>
internal sealed class GenAITokenizer : IDisposable
{
    private readonly OrtxTokenizerHandle _handle;
    private readonly string _folder;

    // Two threads in OrtxTokenize over one tokenizer end the process (std::out_of_range in its splitter; seen with 0.15.2).
    private readonly Lock _encoding = new();

    internal GenAITokenizer(string folder)
    {
        _folder = folder;
        try
        {
            int error = OrtxApi.CreateTokenizer(
                out nint tokenizer, folder, OrtxApi.OptionKeys, OrtxApi.OptionValues, (nuint)OrtxApi.OptionKeys.Length);
            if (error != 0)
                throw new BadModelException(
                    $"{folder}: the tokenizer cannot be opened by ONNX Runtime GenAI: {OrtxApi.LastError()}. "
                    + "Expected tokenizer.json and a tokenizer_config.json whose tokenizer_class GenAI knows.");
            _handle = new OrtxTokenizerHandle(tokenizer);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new EngineException(
                $"The tokenizer of ONNX Runtime GenAI is not available: {e.Message}. Run './rlhf setup', which installs the engines.", e);
        }
    }

    internal unsafe int[] Encode(string text)
    {
        // The native call takes a zero-terminated string. Like half a surrogate pair below, U+0000 becomes U+FFFD: a policy may draw one, and it must not cut a text or end a run.
        text = text.Replace('\0', '\uFFFD');
        byte[] utf8 = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, utf8);
        nint tokens;
        fixed (byte* pointer = utf8)
        {
            byte* texts = pointer;
            lock (_encoding)
                Check(OrtxApi.Tokenize(_handle, &texts, 1, out tokens), "encode");
        }
        try
        {
            Check(OrtxApi.GetTokens(tokens, 0, out uint* items, out nuint length), "encode");
            int[] ids = new ReadOnlySpan<int>(items, checked((int)length)).ToArray();
            if (ids.AsSpan().IndexOfAnyExceptInRange(0, int.MaxValue) is >= 0 and int at)
                throw new BadModelException($"{_folder}: the tokenizer gives no id for a part of '{Excerpt.Of(text, 40)}' (token {at}); its vocabulary lacks a piece that its merges or bytes need. Copy the tokenizer again from where the model was trained.");
            return ids;
        }
        finally
        {
            OrtxApi.Release(tokens);
        }
    }

    internal unsafe string Decode(ReadOnlySpan<int> ids)
    {
        if (ids.IsEmpty)
            return "";
        nint strings;
        fixed (int* pointer = ids)
            Check(OrtxApi.Detokenize(_handle, (uint*)pointer, (nuint)ids.Length, out strings), "decode");
        try
        {
            Check(OrtxApi.GetString(strings, 0, out nint text), "decode");
            return Marshal.PtrToStringUTF8(text) ?? "";
        }
        finally
        {
            OrtxApi.Release(strings);
        }
    }

    internal string ApplyChatTemplate(string template, string messagesJson, bool addGenerationPrompt)
    {
        Check(OrtxApi.ApplyChatTemplate(_handle, template, messagesJson, null, out nint result, addGenerationPrompt, tokenize: false),
            "apply the chat template");
        nint tensor = 0;
        try
        {
            Check(OrtxApi.GetTensor(result, 0, out tensor), "apply the chat template");
            Check(OrtxApi.GetTensorData(tensor, out nint text, 0, 0), "apply the chat template");
            return Marshal.PtrToStringUTF8(text) ?? "";
        }
        finally
        {
            OrtxApi.Release(tensor);
            OrtxApi.Release(result);
        }
    }

    public void Dispose() => _handle.Dispose();

    private void Check(int error, string what)
    {
        if (error != 0)
            throw new EngineException($"{_folder}: GenAI's tokenizer failed to {what}: {OrtxApi.LastError()}.");
    }
}

using Rlhf.Tokenization;
using Rlhf.Tokenization.Text;

namespace Rlhf.Generation;

/// <summary>The tokenizer in the policy's folder.</summary>
public sealed class TokenizerCodec(Tokenizer tokenizer) : ITextCodec
{
    public static TokenizerCodec Open(PolicyFolder folder) => new(Tokenizer.Open(folder.Path));

    public int[] Encode(string text) => tokenizer.EncodePrompt(text);

    /// <summary>The response as it continues its prompt: put together they are the whole text.</summary>
    public string Decode(ReadOnlySpan<int> tokens) => tokenizer.Decode(tokens);

    public IIncrementalDecoder CreateDecoder() => new Stream(tokenizer.CreateStream());

    public void Dispose() => tokenizer.Dispose();

    private sealed class Stream(TextStream stream) : IIncrementalDecoder
    {
        public string Append(int token) => stream.Append(token);

        public void Dispose()
        {
            // The stream is managed memory only.
        }
    }
}

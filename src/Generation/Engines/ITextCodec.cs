namespace Rlhf.Generation;

/// <summary>Text to token ids and back, as the policy's tokenizer does it.</summary>
public interface ITextCodec : IDisposable
{
    /// <summary>The ids that the model is given for a prompt, BOS included where the model has one.</summary>
    int[] Encode(string text);

    /// <summary>The text of the ids, special tokens left out.</summary>
    string Decode(ReadOnlySpan<int> tokens);

    /// <summary>Decodes one token after the other: the text that each adds, complete characters only.</summary>
    IIncrementalDecoder CreateDecoder();
}

/// <summary>The running text of one response.</summary>
public interface IIncrementalDecoder : IDisposable
{
    string Append(int token);
}

using Rlhf.Core;

namespace Rlhf.Generation;

/// <summary>
/// Prompts in the order in which they are best started: read a window at a time (so memory does not grow with their number), longest
/// first, so that neighbours are of similar length and what starts last ends soon.
/// </summary>
internal sealed class PromptQueue : IDisposable
{
    private readonly IEnumerator<Prompt> _source;
    private readonly ITextCodec? _codec;
    private readonly PolicyFolder _folder;
    private readonly int _windowLength;
    private readonly Queue<PreparedPrompt> _window = new();
    private long _read;
    private bool _ended;

    public PromptQueue(IEnumerable<Prompt> prompts, ITextCodec? codec, PolicyFolder folder, int window)
    {
        _source = prompts.GetEnumerator();
        (_codec, _folder, _windowLength) = (codec, folder, window);
    }

    /// <summary>The longest prompt of the window.</summary>
    public int LongestWaiting { get; private set; }

    public PreparedPrompt? Peek()
    {
        if (_window.Count == 0 && !_ended) Fill();
        return _window.TryPeek(out PreparedPrompt? next) ? next : null;
    }

    public PreparedPrompt Take() => _window.Dequeue();

    public void Dispose() => _source.Dispose();

    private void Fill()
    {
        List<PreparedPrompt> read = [];
        while (read.Count < _windowLength)
        {
            if (!_source.MoveNext())
            {
                _ended = true;
                break;
            }

            read.Add(Prepare(_source.Current));
        }

        foreach (PreparedPrompt prompt in read.OrderByDescending(p => p.Tokens.Length)) _window.Enqueue(prompt);
        LongestWaiting = read.Count == 0 ? 0 : read.Max(p => p.Tokens.Length);
    }

    private PreparedPrompt Prepare(Prompt prompt)
    {
        int[] tokens = prompt.Tokens
            ?? (_codec ?? throw new BadDataException($"Prompt '{prompt.Id}' has text but no tokens, and the engine was opened without a tokenizer.")).Encode(prompt.Text);
        if (tokens.Length == 0) throw new BadDataException($"Prompt '{prompt.Id}' is empty: there is no token to start from. Remove it, or use a model with a BOS token.");
        if (tokens.Length >= _folder.ContextLength)
        {
            throw new BadDataException(
                $"Prompt '{prompt.Id}' has {tokens.Length} tokens; the model's context holds {_folder.ContextLength}, response included. Shorten the prompt to {_folder.ContextLength - 1} tokens or fewer, or use a model with a longer context.");
        }

        foreach (int token in tokens)
        {
            if (token < 0 || token >= _folder.VocabularySize)
                throw new BadDataException($"Prompt '{prompt.Id}' holds the token id {token}; the model's vocabulary is 0 to {_folder.VocabularySize - 1}. The prompt was tokenised for another model.");
        }

        return new PreparedPrompt(_read++, prompt, AddressedRandom.Key(prompt.Id), tokens);
    }
}

using System.Runtime.InteropServices;

namespace Rlhf.Tokenization.Bpe;

/// <summary>Counts the words of a corpus; the trainer needs no more of it.</summary>
public sealed class WordCounter
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    public WordCounter() => _bySpan = _counts.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>How often each different word was seen.</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Characters (UTF-16 units) added so far.</summary>
    public long Characters { get; private set; }

    /// <summary>Splits a document into words and counts them.</summary>
    public void Add(ReadOnlySpan<char> document)
    {
        Characters += document.Length;
        for (int start = 0; start < document.Length;)
        {
            int end = WordSplitter.EndOfWord(document, start);
            CollectionsMarshal.GetValueRefOrAddDefault(_bySpan, document[start..end], out _)++;
            start = end;
        }
    }
}

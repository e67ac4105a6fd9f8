using System.Collections.Concurrent;
using System.Text;

namespace Rlhf.Tokenization;

/// <summary>
/// Exact byte-level BPE with a cache of words: for tokenising a corpus, where a few hundred thousand different words make up the text.
/// The same ids as the tokenizer that runs at inference; a test holds the two together.
/// </summary>
public sealed class BpeEncoder
{
    private const int CacheLimit = 1 << 20;
    private readonly int _first;
    private readonly Dictionary<(int, int), int> _ranks = [];
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);

    public BpeEncoder(BpeVocabulary vocabulary)
    {
        _first = vocabulary.SpecialTokens.Count;
        for (int m = 0; m < vocabulary.Merges.Count; m++) _ranks.Add(vocabulary.Merges[m], m);
    }

    /// <summary>Appends the ids of a text; special tokens are not looked for.</summary>
    public void Encode(string text, List<int> ids)
    {
        ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (System.Text.RegularExpressions.ValueMatch piece in PreTokenizer.Pieces(text))
        {
            ReadOnlySpan<char> word = text.AsSpan(piece.Index, piece.Length);
            if (!lookup.TryGetValue(word, out int[]? encoded))
            {
                encoded = Word(word);
                if (_cache.Count < CacheLimit) _cache[word.ToString()] = encoded;
            }

            ids.AddRange(encoded);
        }
    }

    // The lowest-ranked pair first, leftmost first among equals: the order in which the merges were learnt.
    private int[] Word(ReadOnlySpan<char> word)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(word.Length)];
        int length = Encoding.UTF8.GetBytes(word, bytes);
        var symbols = new List<int>(length);
        for (int i = 0; i < length; i++) symbols.Add(bytes[i]);
        while (symbols.Count > 1)
        {
            int best = int.MaxValue, at = -1;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (_ranks.TryGetValue((symbols[i], symbols[i + 1]), out int rank) && rank < best) (best, at) = (rank, i);
            }

            if (at < 0) break;
            symbols[at] = 256 + best;
            symbols.RemoveAt(at + 1);
        }

        return [.. symbols.Select(s => s + _first)];
    }
}

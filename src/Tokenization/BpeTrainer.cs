using System.Text;

namespace Rlhf.Tokenization;

/// <summary>
/// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): start from 256 bytes and merge the most frequent pair of
/// neighbours inside words, again and again. Ties go to the pair with the smaller ids, so the result depends on the text alone.
/// Pair counts are kept up to date word by word, and a heap with lazy deletion finds the next pair.
/// </summary>
public sealed class BpeTrainer
{
    private readonly Dictionary<string, int> _words = new(StringComparer.Ordinal);

    /// <summary>Counts the words of one text.</summary>
    public void Add(string text)
    {
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (System.Text.RegularExpressions.ValueMatch piece in PreTokenizer.Pieces(text))
        {
            ReadOnlySpan<char> word = text.AsSpan(piece.Index, piece.Length);
            lookup[word] = lookup.TryGetValue(word, out int count) ? count + 1 : 1;
        }
    }

    /// <summary>Learns merges until the vocabulary has the given size.</summary>
    /// <param name="vocabularySize">Special tokens, 256 bytes and merges together.</param>
    /// <param name="specialTokens">Take the first ids.</param>
    /// <param name="minimumCount">A pair seen less often is not merged.</param>
    public BpeVocabulary Train(int vocabularySize, IReadOnlyList<string> specialTokens, int minimumCount = 2)
    {
        int bytesStart = specialTokens.Count, merges = vocabularySize - bytesStart - 256;
        if (merges < 0) throw new Rlhf.Core.ConfigurationException($"vocabulary_size is {vocabularySize}; it must be at least {bytesStart + 256}: {bytesStart} special tokens and 256 bytes.");
        var pieces = new List<string>(Enumerable.Range(0, 256).Select(b => ByteAlphabet.Symbol((byte)b).ToString()));
        (List<int>[] words, long[] counts) = Words();
        var pairs = new Dictionary<(int, int), long>();
        var where = new Dictionary<(int, int), HashSet<int>>();
        for (int w = 0; w < words.Length; w++)
        {
            for (int i = 0; i + 1 < words[w].Count; i++) Change((words[w][i], words[w][i + 1]), counts[w], w);
        }

        var heap = new PriorityQueue<((int, int) Pair, long Count), (long, int, int)>(pairs.Select(p => ((p.Key, p.Value), (-p.Value, p.Key.Item1, p.Key.Item2))));
        var learnt = new List<(int Left, int Right)>(merges);
        var touched = new HashSet<(int, int)>();
        while (learnt.Count < merges && heap.TryDequeue(out ((int, int) Pair, long Count) top, out _))
        {
            if (pairs.GetValueOrDefault(top.Pair) != top.Count) continue; // stale: a newer entry is in the heap
            if (top.Count < minimumCount) break;
            (int left, int right) = top.Pair;
            int merged = pieces.Count;
            pieces.Add(pieces[left] + pieces[right]);
            learnt.Add(top.Pair);
            touched.Clear();
            foreach (int w in where[top.Pair]) Merge(w, left, right, merged);
            pairs.Remove(top.Pair);
            where.Remove(top.Pair);
            touched.Remove(top.Pair);
            foreach ((int, int) pair in touched)
            {
                if (pairs.TryGetValue(pair, out long count) && count > 0) heap.Enqueue((pair, count), (-count, pair.Item1, pair.Item2));
            }
        }

        return new BpeVocabulary([.. specialTokens], [.. pieces], [.. learnt]);

        void Change((int, int) pair, long by, int word)
        {
            pairs[pair] = pairs.GetValueOrDefault(pair) + by;
            if (by <= 0) return;
            if (!where.TryGetValue(pair, out HashSet<int>? set)) where[pair] = set = [];
            set.Add(word);
        }

        void Merge(int w, int left, int right, int merged)
        {
            List<int> word = words[w];
            for (int i = 0; i + 1 < word.Count; i++)
            {
                if (word[i] != left || word[i + 1] != right) continue;
                if (i > 0) Replace((word[i - 1], left), (word[i - 1], merged), w);
                if (i + 2 < word.Count) Replace((right, word[i + 2]), (merged, word[i + 2]), w);
                word[i] = merged;
                word.RemoveAt(i + 1);
            }
        }

        void Replace((int, int) old, (int, int) now, int w)
        {
            Change(old, -counts[w], w);
            Change(now, counts[w], w);
            touched.Add(old);
            touched.Add(now);
        }
    }

    // Sorted by text, so that nothing depends on the order of a hash table.
    private (List<int>[] Words, long[] Counts) Words()
    {
        string[] texts = [.. _words.Keys.Order(StringComparer.Ordinal)];
        return ([.. texts.Select(t => Encoding.UTF8.GetBytes(t).Select(b => (int)b).ToList())], [.. texts.Select(t => (long)_words[t])]);
    }
}

/// <summary>What byte-level BPE is: special tokens first, then the 256 bytes and the merged pieces in the order they were learnt.</summary>
/// <param name="SpecialTokens">Ids 0 .. specials − 1.</param>
/// <param name="Pieces">Pieces in the byte alphabet; the id of piece i is specials + i.</param>
/// <param name="Merges">Indices into <paramref name="Pieces"/>; merge m makes piece 256 + m.</param>
public sealed record BpeVocabulary(IReadOnlyList<string> SpecialTokens, IReadOnlyList<string> Pieces, IReadOnlyList<(int Left, int Right)> Merges)
{
    public int Size => SpecialTokens.Count + Pieces.Count;
}

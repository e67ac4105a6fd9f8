using System.Runtime.InteropServices;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Tokenization.Bpe;

/// <summary>
/// Trains byte-level BPE (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", over bytes as in GPT-2):
/// the most frequent pair of neighbouring pieces inside words becomes a piece, again and again. Equal counts are decided by the smaller left
/// id, then the smaller right id, so the same text gives the same vocabulary everywhere.
/// </summary>
public sealed class BpeTrainer
{
    private readonly List<Word> _words = [];
    private readonly Dictionary<long, Pair> _pairs = [];
    private readonly PriorityQueue<long, (long Count, long Key)> _queue = new(MostFrequentFirst.Instance);
    private readonly List<long> _newPairs = [];
    private readonly BpeTrainerOptions _options;

    private BpeTrainer(BpeTrainerOptions options) => _options = options;

    /// <summary>Trains on documents; only their words and how often they come matter.</summary>
    /// <exception cref="ConfigurationException">The vocabulary is too small to hold the special tokens and the 256 bytes.</exception>
    public static BpeModel Train(IEnumerable<string> documents, BpeTrainerOptions options)
    {
        WordCounter counter = new();
        foreach (string document in documents)
            counter.Add(document);
        return Train(counter.Counts, options);
    }

    /// <summary>Trains on word counts. Stops early, with a smaller vocabulary, when no pair is left that comes often enough.</summary>
    /// <exception cref="ConfigurationException">The vocabulary is too small to hold the special tokens and the 256 bytes.</exception>
    public static BpeModel Train(IReadOnlyDictionary<string, long> wordCounts, BpeTrainerOptions options)
    {
        int smallest = options.SpecialTokens.Count + 256;
        if (options.VocabularySize < smallest)
            throw new ConfigurationException(
                $"tokenizer vocabulary size is {options.VocabularySize}; it must be at least {smallest}: {options.SpecialTokens.Count} special tokens and 256 bytes.");
        if (options.SpecialTokens.Distinct(StringComparer.Ordinal).Count() != options.SpecialTokens.Count)
            throw new ConfigurationException("tokenizer special tokens must differ from each other.");
        BpeTrainer trainer = new(options);
        trainer.CountPairs(wordCounts);
        return new BpeModel(options.SpecialTokens, trainer.Merge());
    }

    private void CountPairs(IReadOnlyDictionary<string, long> wordCounts)
    {
        int firstByte = _options.SpecialTokens.Count;
        foreach ((string text, long count) in wordCounts)
        {
            int[] pieces = [.. Encoding.UTF8.GetBytes(text).Select(value => firstByte + value)];
            if (pieces.Length < 2)
                continue;
            _words.Add(new Word(pieces, pieces.Length, count));
            for (int i = 0; i + 1 < pieces.Length; i++)
                Change(pieces[i], pieces[i + 1], count, _words.Count - 1);
        }
        QueueNewPairs();
    }

    private List<(int Left, int Right)> Merge()
    {
        List<(int, int)> merges = [];
        int next = _options.SpecialTokens.Count + 256;
        while (next < _options.VocabularySize && _queue.TryDequeue(out long key, out (long Count, long Key) queued))
        {
            Pair pair = _pairs[key];
            if (pair.Count != queued.Count)
            {
                // Counts of queued pairs only fall; the entry was out of date and goes back to where it now belongs.
                if (pair.Count >= _options.MinimumCount)
                    _queue.Enqueue(key, (pair.Count, key));
                continue;
            }
            if (pair.Count < _options.MinimumCount)
                break;
            (int left, int right) = ((int)(key >> 32), (int)(key & 0xFFFF_FFFF));
            merges.Add((left, right));
            foreach (int word in pair.Words)
                MergeIn(word, left, right, next);
            // Nothing can bring the pair back; its word list can go.
            pair.Count = 0;
            pair.Words = [];
            QueueNewPairs();
            next++;
        }
        return merges;
    }

    /// <summary>Replaces every (left, right) in a word from the left, and corrects the counts of the neighbouring pairs.</summary>
    private void MergeIn(int index, int left, int right, int merged)
    {
        ref Word word = ref CollectionsMarshal.AsSpan(_words)[index];
        int[] pieces = word.Pieces;
        int length = word.Length;
        int written = 0;
        for (int read = 0; read < length;)
        {
            if (read + 1 < length && pieces[read] == left && pieces[read + 1] == right)
            {
                if (written > 0)
                {
                    // The piece before may itself have just been merged; its pair with `left` was then counted under the new id.
                    Change(pieces[written - 1], left, -word.Count, index);
                    Change(pieces[written - 1], merged, word.Count, index);
                }
                if (read + 2 < length)
                {
                    Change(right, pieces[read + 2], -word.Count, index);
                    Change(merged, pieces[read + 2], word.Count, index);
                }
                pieces[written++] = merged;
                read += 2;
            }
            else
            {
                pieces[written++] = pieces[read++];
            }
        }
        word.Length = written;
    }

    private void Change(int left, int right, long count, int word)
    {
        long key = ((long)left << 32) | (uint)right;
        ref Pair? pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, key, out bool known);
        if (!known)
        {
            pair = new Pair();
            _newPairs.Add(key);
        }
        pair!.Count += count;
        // One entry a word is enough: words come in order, so a repeat can only be the last one.
        if (count > 0 && (pair.Words.Count == 0 || pair.Words[^1] != word))
            pair.Words.Add(word);
    }

    private void QueueNewPairs()
    {
        foreach (long key in _newPairs)
            if (_pairs[key].Count >= _options.MinimumCount)
                _queue.Enqueue(key, (_pairs[key].Count, key));
        _newPairs.Clear();
    }

    private record struct Word(int[] Pieces, int Length, long Count);

    private sealed class Pair
    {
        public long Count;
        public List<int> Words = [];
    }

    private sealed class MostFrequentFirst : IComparer<(long Count, long Key)>
    {
        public static readonly MostFrequentFirst Instance = new();

        public int Compare((long Count, long Key) x, (long Count, long Key) y) =>
            x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Key.CompareTo(y.Key);
    }
}

/// <summary>What <see cref="BpeTrainer"/> makes.</summary>
/// <param name="VocabularySize">Special tokens, 256 bytes and merges together.</param>
public sealed record BpeTrainerOptions(int VocabularySize)
{
    /// <summary>Tokens with the ids 0, 1, ….</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = BpeModel.StandardSpecialTokens;

    /// <summary>A pair that comes less often is never merged.</summary>
    public long MinimumCount { get; init; } = 2;
}

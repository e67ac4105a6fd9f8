namespace Rlhf.Algorithms;

/// <summary>
/// distinct-n (Li et al. 2016, "A diversity-promoting objective function"): different n-grams / all n-grams over the responses of a batch. n-grams do not
/// cross responses. 0 without any n-gram.
/// </summary>
public static class DistinctN
{
    public static double Of(ReadOnlySpan<int> offsets, ReadOnlySpan<int> tokens, int n)
    {
        Require.Range(n >= 1, n, "at least 1");
        Require.Ragged(offsets, tokens.Length);
        HashSet<Gram> seen = [];
        int[] all = tokens.ToArray();
        long count = 0;
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            for (int t = offsets[i]; t + n <= offsets[i + 1]; t++)
            {
                seen.Add(new Gram(all, t, n));
                count++;
            }
        }

        return count == 0 ? 0 : (double)seen.Count / count;
    }

    /// <summary>A window of tokens, compared by content.</summary>
    private readonly struct Gram(int[] tokens, int start, int length) : IEquatable<Gram>
    {
        private ReadOnlySpan<int> Window => tokens.AsSpan(start, length);

        public bool Equals(Gram other) => Window.SequenceEqual(other.Window);

        public override bool Equals(object? obj) => obj is Gram other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            foreach (int token in Window) hash.Add(token);
            return hash.ToHashCode();
        }
    }
}

using System.Numerics;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Interpolated modified Kneser–Ney n-gram model over token ids (Chen and Goodman 1999): the honest baseline of a small language model.
/// p(w|h) = (c(hw) − D(c))₊ / c(h·) + γ(h) p(w|h′), with continuation counts below the highest order and a uniform floor.
/// n-grams are packed into 64-bit keys and kept sorted, so counting is sorting and a look-up is a binary search.
/// </summary>
public sealed class KneserNey
{
    private readonly int _bits;
    private readonly int _vocabulary;
    private readonly Order[] _orders;

    /// <param name="tokens">Training text.</param>
    /// <param name="order">n; n · bits of a token must fit 64.</param>
    /// <param name="vocabularySize">Number of different tokens.</param>
    public KneserNey(ReadOnlySpan<int> tokens, int order, int vocabularySize)
    {
        _bits = 32 - BitOperations.LeadingZeroCount((uint)vocabularySize - 1);
        _vocabulary = vocabularySize;
        if (_bits * order > 64) throw new ConfigurationException($"An {order}-gram of a vocabulary of {vocabularySize} needs {_bits * order} bits; it must fit 64. Use a lower order.");
        if (tokens.Length < order) throw new BadDataException($"The text has {tokens.Length} tokens; an {order}-gram model needs at least {order}.");
        _orders = new Order[order];
        ulong[] keys = new ulong[tokens.Length - order + 1];
        ulong key = 0, mask = Mask(order);
        for (int i = 0; i < tokens.Length; i++)
        {
            key = ((key << _bits) | (uint)tokens[i]) & mask;
            if (i >= order - 1) keys[i - order + 1] = key;
        }

        for (int n = order; n >= 1; n--)
        {
            _orders[n - 1] = Order.Count(keys);
            if (n == 1) break;
            ulong[] unique = _orders[n - 1].Keys, shorter = new ulong[unique.Length];
            mask = Mask(n - 1);
            for (int i = 0; i < unique.Length; i++) shorter[i] = unique[i] & mask;
            keys = shorter;
        }
    }

    /// <summary>log p(next | context) in nats; only the last n − 1 tokens of the context count.</summary>
    public double LogProb(ReadOnlySpan<int> context, int next)
    {
        int length = Math.Min(context.Length, _orders.Length - 1);
        double p = 1.0 / _vocabulary;
        for (int n = 1; n <= length + 1; n++)
        {
            ulong history = 0;
            foreach (int token in context[^(n - 1)..]) history = (history << _bits) | (uint)token;
            p = _orders[n - 1].Interpolate(history << _bits, 1UL << _bits, (uint)next, p);
        }

        return Math.Log(p);
    }

    private ulong Mask(int n) => n * _bits == 64 ? ulong.MaxValue : (1UL << (n * _bits)) - 1;

    private sealed class Order(ulong[] keys, int[] counts)
    {
        private readonly double[] _discount = Discounts(counts);

        public ulong[] Keys => keys;

        public static Order Count(ulong[] all)
        {
            Array.Sort(all);
            int unique = 0;
            for (int i = 0; i < all.Length; i++) if (i == 0 || all[i] != all[i - 1]) unique++;
            ulong[] keys = new ulong[unique];
            int[] counts = new int[unique];
            int at = -1;
            for (int i = 0; i < all.Length; i++)
            {
                if (i == 0 || all[i] != all[i - 1]) keys[++at] = all[i];
                counts[at]++;
            }

            return new Order(keys, counts);
        }

        /// <summary>(c − D)/total + γ · lower; lower itself when the history was never seen.</summary>
        public double Interpolate(ulong first, ulong width, uint next, double lower)
        {
            int from = LowerBound(first), to = from;
            long total = 0;
            double mass = 0, own = 0;
            for (; to < keys.Length && keys[to] - first < width; to++)
            {
                double discount = _discount[Math.Min(counts[to], 3)];
                total += counts[to];
                mass += discount;
                if (keys[to] == first + next) own = counts[to] - discount;
            }

            return total == 0 ? lower : (own + (mass * lower)) / total;
        }

        private int LowerBound(ulong key)
        {
            int at = Array.BinarySearch(keys, key);
            return at >= 0 ? at : ~at;
        }

        // D_k = k − (k + 1) Y n_{k+1}/n_k, Y = n₁/(n₁ + 2 n₂); kept inside (0, k) where a tiny text has no such counts.
        private static double[] Discounts(int[] counts)
        {
            double[] n = new double[5];
            foreach (int c in counts) if (c <= 4) n[c]++;
            double y = n[1] + n[2] > 0 ? n[1] / (n[1] + (2 * n[2])) : 0.5;
            double D(int k) => n[k] > 0 ? Math.Clamp(k - ((k + 1) * y * n[k + 1] / n[k]), 0.05, k - 0.05) : 0.5 * k;
            return [0, D(1), D(2), D(3)];
        }
    }
}

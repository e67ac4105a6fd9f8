using System.Numerics;
using System.Runtime.Intrinsics;

namespace Rlhf.Generation.Sampling;

/// <summary>Finds the logit from which on tokens are kept, without sorting: quickselect on the values that can matter.</summary>
internal static class Selection
{
    private const int SmallRange = 24;
    private const int ChunkLength = 64;

    /// <summary>
    /// The k-th largest value of the row, so that values ≥ it are the top k, ties of the k-th included.
    /// <paramref name="scratch"/> holds at least as many values as the row.
    /// </summary>
    public static float TopK(ReadOnlySpan<float> row, int k, Span<float> scratch)
    {
        if (k >= row.Length) return float.NegativeInfinity;

        // At least k values are ≥ the k-th largest of the chunk maxima, so what is below that cannot be the k-th largest of the row.
        float lowerBound = float.NegativeInfinity;
        int chunks = row.Length / ChunkLength;
        if (2 * k <= chunks)
        {
            for (int c = 0; c < chunks; c++) scratch[c] = ExpKernel.Max(row.Slice(c * ChunkLength, ChunkLength));
            lowerBound = KthLargest(scratch[..chunks], k);
        }

        Span<float> candidates = scratch[..Gather(row, lowerBound, scratch)];
        return KthLargest(candidates, k);
    }

    /// <summary>
    /// Nucleus: with values in falling order, keep the longest head whose mass does not exceed <paramref name="p"/> of the whole, at least
    /// one value, and the ties of the last one kept. Holtzman et al. 2020; the border as in lm-human-preferences' take_top_p_logits.
    /// Values below <paramref name="threshold"/> are out already; <paramref name="total"/> is the mass Σ exp((x − max)·scale) of the others.
    /// </summary>
    public static float TopP(ReadOnlySpan<float> row, double p, float threshold, float max, float scale, double total, Span<float> scratch)
    {
        double budget = p * total;

        // All values of mass < (1 − p)·total / n together weigh less than (1 − p)·total: they come after the budget is spent.
        double smallest = max + (Math.Log(Math.Max((1 - p) * total / row.Length, double.Epsilon)) / scale);
        float lowerBound = MathF.Max(threshold, MathF.BitDecrement((float)Math.Max(smallest, -float.MaxValue)));
        Span<float> range = scratch[..Gather(row, MathF.Min(lowerBound, max), scratch)];

        double above = 0;
        float keptMin = max;
        while (range.Length > SmallRange)
        {
            float pivot = Pivot(range);
            (int greater, int equal) = Partition(range, pivot);
            double massOfGreater = above + ExpKernel.ExpSum(range[..greater], max, scale, float.NegativeInfinity);
            if (massOfGreater > budget)
            {
                range = range[..greater];
                continue;
            }

            // Everything greater is kept; its smallest is the border unless some of the pivot's equals fit too.
            for (int i = 0; i < greater; i++) keptMin = MathF.Min(keptMin, range[i]);
            double one = Math.Exp(((double)pivot - max) * scale);
            if (massOfGreater + one > budget) return keptMin;
            keptMin = pivot;
            above = massOfGreater + (equal * one);
            if (above > budget) return keptMin;
            range = range[(greater + equal)..];
        }

        range.Sort();
        for (int i = range.Length - 1; i >= 0; i--)
        {
            above += Math.Exp(((double)range[i] - max) * scale);
            if (above > budget) return keptMin;
            keptMin = range[i];
        }

        return keptMin;
    }

    /// <summary>Copies the values ≥ the bound to the front of <paramref name="to"/>; returns how many.</summary>
    private static int Gather(ReadOnlySpan<float> row, float lowerBound, Span<float> to)
    {
        int count = 0, i = 0;
        Vector256<float> bound = Vector256.Create(lowerBound);
        for (; i <= row.Length - 8; i += 8)
        {
            // Mostly no value of the eight can matter.
            uint kept = Vector256.GreaterThanOrEqual(Vector256.Create(row.Slice(i, 8)), bound).ExtractMostSignificantBits();
            for (; kept != 0; kept &= kept - 1) to[count++] = row[i + BitOperations.TrailingZeroCount(kept)];
        }

        for (; i < row.Length; i++)
        {
            if (row[i] >= lowerBound) to[count++] = row[i];
        }

        return count;
    }

    private static float KthLargest(Span<float> range, int k)
    {
        while (range.Length > SmallRange)
        {
            float pivot = Pivot(range);
            (int greater, int equal) = Partition(range, pivot);
            if (k <= greater)
            {
                range = range[..greater];
            }
            else if (k <= greater + equal)
            {
                return pivot;
            }
            else
            {
                k -= greater + equal;
                range = range[(greater + equal)..];
            }
        }

        range.Sort();
        return range[^k];
    }

    /// <summary>Median of the first, middle and last value.</summary>
    private static float Pivot(ReadOnlySpan<float> range)
    {
        float a = range[0], b = range[range.Length / 2], c = range[^1];
        return MathF.Max(MathF.Min(a, b), MathF.Min(MathF.Max(a, b), c));
    }

    /// <summary>Rearranges to greater | equal | less; returns how many are greater and how many equal.</summary>
    private static (int Greater, int Equal) Partition(Span<float> range, float pivot)
    {
        int greater = 0, i = 0, less = range.Length;
        while (i < less)
        {
            float x = range[i];
            if (x > pivot)
            {
                range[i++] = range[greater];
                range[greater++] = x;
            }
            else if (x < pivot)
            {
                range[i] = range[--less];
                range[less] = x;
            }
            else
            {
                i++;
            }
        }

        return (greater, less - greater);
    }
}

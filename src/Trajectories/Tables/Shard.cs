using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>One of several parts of a table, for array jobs: the parts are disjoint and together the whole.</summary>
/// <param name="Index">0 … Count − 1.</param>
/// <param name="Count">Number of parts.</param>
public sealed record Shard(int Index, int Count)
{
    /// <summary>What <c>--shard</c> says: <c>i/n</c> with i from 0 to n − 1.</summary>
    /// <exception cref="ConfigurationException">Something else.</exception>
    public static Shard Parse(string text)
    {
        string[] parts = text.Split('/');
        if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) && index < count)
        {
            return new Shard(index, count);
        }

        throw new ConfigurationException($"--shard is '{text}'; it must be i/n with i from 0 to n − 1, as in 0/4, 1/4, 2/4 and 3/4.");
    }

    /// <summary>The part as contiguous rows: ⌊rows · i / n⌋ up to ⌊rows · (i + 1) / n⌋.</summary>
    public (long First, long Count) Range(long rows)
    {
        long first = (long)((Int128)rows * Index / Count), next = (long)((Int128)rows * (Index + 1) / Count);
        return (first, next - first);
    }

    /// <summary>The part as every n-th row from the i-th on: whether row k is one of them.</summary>
    public bool Takes(long k) => k % Count == Index;

    /// <summary>How many of so many rows <see cref="Takes"/> chooses.</summary>
    public long CountTaken(long rows) => (rows - Index + Count - 1) / Count;

    public override string ToString() => $"{Index}/{Count}";
}

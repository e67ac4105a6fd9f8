namespace Rlhf.Scoring;

/// <summary>
/// Cuts a window of rows into batches of nearly equal length: in the order of their lengths, at most a budget of tokens with padding each, so that padding
/// and calls together cost least. Results go back by index, so the order of work never shows.
/// </summary>
public static class TokenBudget
{
    /// <summary>Largest share of a window's computed tokens that may be padding, whatever it costs in calls.</summary>
    public const double MaximumPadding = 0.05;

    /// <summary>What a batch more costs, in tokens: the call, and smaller matrices.</summary>
    private const int CallTokens = 12;

    /// <param name="lengths">[rows] tokens of each row.</param>
    /// <param name="batchTokens">Most tokens of one batch, padding included; a longer row stands alone.</param>
    /// <returns>Batches of row indices, longest first.</returns>
    public static List<int[]> Cut(ReadOnlySpan<int> lengths, int batchTokens)
    {
        int[] keys = lengths.ToArray(), order = new int[keys.Length];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(keys, order); // shortest first; ties in any fixed order
        long real = 0;
        foreach (int length in keys) real += length;
        // Where the rows are so few that little padding takes many batches, batches are counted as cheaper, in the end as free: then only equal lengths meet.
        for (int call = CallTokens; ; call /= 2)
        {
            (int[] starts, long computed) = Cheapest(keys, batchTokens, call);
            if (call > 0 && computed - real > MaximumPadding * computed) continue;
            var batches = new List<int[]>();
            for (int end = keys.Length; end > 0; end = starts[end]) batches.Add(order[starts[end]..end]);
            return batches;
        }
    }

    /// <summary>The cheapest way to cut sorted rows, by the cost of the cheapest way to cut those before each batch.</summary>
    /// <returns>For each end of a batch where it starts, and the tokens computed in all batches.</returns>
    private static (int[] Starts, long Computed) Cheapest(int[] keys, int batchTokens, int call)
    {
        long[] cost = new long[keys.Length + 1];
        int[] starts = new int[keys.Length + 1];
        for (int end = 1; end <= keys.Length; end++)
        {
            long longest = keys[end - 1], best = long.MaxValue;
            int rows = (int)Math.Max(1, batchTokens / Math.Max(1, longest));
            for (int start = end - 1; start >= Math.Max(0, end - rows); start--)
            {
                long whole = cost[start] + ((end - start) * longest) + call;
                if (whole > best) continue; // of equal cost, the larger batch
                (best, starts[end]) = (whole, start);
            }

            cost[end] = best;
        }

        long computed = 0;
        for (int end = keys.Length; end > 0; end = starts[end]) computed += (long)keys[end - 1] * (end - starts[end]);
        return (starts, computed);
    }
}

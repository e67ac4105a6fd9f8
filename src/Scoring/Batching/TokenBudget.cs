namespace Rlhf.Scoring;

/// <summary>
/// Cuts a window of rows into batches of nearly equal length: sorted by length, at most a budget of tokens with padding, and a new batch as
/// soon as padding would pass a few percent. Results go back by index, so the order of work never shows.
/// </summary>
public static class TokenBudget
{
    /// <summary>Largest share of padding in a batch of more than one row.</summary>
    public const double MaximumPadding = 0.06;

    /// <param name="lengths">[rows] tokens of each row.</param>
    /// <param name="batchTokens">Most tokens of one batch, padding included; a longer row stands alone.</param>
    /// <returns>Batches of row indices, longest first.</returns>
    public static List<int[]> Cut(ReadOnlySpan<int> lengths, int batchTokens)
    {
        int[] keys = lengths.ToArray(), order = new int[keys.Length];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(keys, order); // shortest first; ties in any fixed order
        var batches = new List<int[]>();
        for (int end = order.Length; end > 0;)
        {
            int longest = keys[end - 1], rows = Math.Max(1, batchTokens / Math.Max(1, longest)), start = end - 1;
            long real = longest;
            while (start > 0 && end - start < rows)
            {
                long padded = (long)longest * (end - start + 1), next = real + keys[start - 1];
                bool worth = end - start < 8 ? padded - next <= padded * 0.25 : padded - next <= padded * MaximumPadding;
                if (!worth) break;
                real = next;
                start--;
            }

            batches.Add(order[start..end]);
            end = start;
        }

        return batches;
    }
}

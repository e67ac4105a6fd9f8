namespace Rlhf.Optimization;

/// <summary>Cuts a batch of examples of several texts each into passes; an example is never torn apart, for its loss needs all its texts.</summary>
public static class ExampleCut
{
    /// <summary>Examples in groups, longest first, each pass at most <paramref name="maxTokens"/> padded tokens (or one example).</summary>
    /// <param name="lengths">[examples][texts] tokens.</param>
    /// <param name="maxTokens">Most padded tokens of a pass.</param>
    /// <returns>Indices of the examples of each pass.</returns>
    public static List<int[]> ByTokens(int[][] lengths, int maxTokens)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Length).OrderByDescending(i => lengths[i].Max()).ThenBy(i => i)];
        var cuts = new List<int[]>();
        for (int start = 0; start < order.Length;)
        {
            int longest = lengths[order[start]].Max(), rows = 0, end = start;
            while (end < order.Length && (end == start || (rows + lengths[order[end]].Length) * longest <= maxTokens)) rows += lengths[order[end++]].Length;
            cuts.Add(order[start..end]);
            start = end;
        }

        return cuts;
    }
}

namespace Rlhf.Scoring;

/// <summary>Rows that one worker reads at a time.</summary>
/// <param name="Shared">Tokens that all rows have in common at their beginning, computed once; 0: none.</param>
/// <param name="Rows">The rows: side by side as a batch, or one after the other where a beginning is shared.</param>
/// <param name="Tokens">Tokens to be computed, padding included.</param>
internal sealed record WorkItem(int Shared, int[] Rows, long Tokens)
{
    /// <summary>Of the tokens that are computed, those that fill shorter rows up: only rows side by side have such.</summary>
    /// <param name="lengths">[rows] how many tokens are read.</param>
    public long Padding(int[] lengths) => Shared > 0 || Rows.Length == 1 ? 0 : ((long)Rows.Length * Rows.Max(r => lengths[r])) - Rows.Sum(r => (long)lengths[r]);
}

/// <summary>
/// How a window is computed by a graph with a cache: texts with a common beginning together, long texts alone, which need no padding and stay in the
/// caches, and short ones in batches of nearly equal length.
/// </summary>
internal static class WorkPlan
{
    /// <summary>Texts of this length fill the matrix kernels by themselves.</summary>
    public const int LongText = 192;

    /// <param name="tokens">[rows] all tokens.</param>
    /// <param name="lengths">[rows] how many of them are read.</param>
    /// <param name="limits">[rows] how many of them may be shared.</param>
    /// <param name="batchTokens">Most tokens of a batch, padding included.</param>
    /// <param name="workers">Workers that share the items.</param>
    /// <param name="share">False: nothing is shared (for measuring what sharing saves).</param>
    /// <returns>The most work first.</returns>
    public static List<WorkItem> Make(IReadOnlyList<int[]> tokens, int[] lengths, int[] limits, int batchTokens, int workers, bool share = true)
    {
        (List<SharedBeginning> groups, List<int> alone) = share ? SharedBeginnings.Find(tokens, limits) : ([], [.. Enumerable.Range(0, tokens.Count)]);
        List<WorkItem> items = [.. groups.SelectMany(g => Pieces(g, lengths, lengths.Sum(l => (long)l) / workers))];
        items.AddRange(alone.Where(r => lengths[r] >= LongText).Select(r => new WorkItem(0, [r], lengths[r])));
        int[] texts = [.. alone.Where(r => lengths[r] < LongText)], own = [.. texts.Select(r => lengths[r])];
        foreach (int[] batch in TokenBudget.Cut(own, BatchWorkers.Budget(own, batchTokens, workers)))
            items.Add(new WorkItem(0, [.. batch.Select(i => texts[i])], (long)batch.Length * batch.Max(i => own[i])));
        items.Sort((a, b) => b.Tokens.CompareTo(a.Tokens));
        return items;
    }

    // A group that is more than one worker's share is cut: its beginning is then computed once a piece.
    private static IEnumerable<WorkItem> Pieces(SharedBeginning group, int[] lengths, long most)
    {
        long tokens = group.Rows.Sum(r => (long)lengths[r] - group.Shared);
        int pieces = (int)Math.Clamp((tokens + most) / Math.Max(1, most), 1, Math.Max(1, group.Rows.Length / 2));
        return group.Rows.Chunk((group.Rows.Length + pieces - 1) / pieces)
            .Select(rows => new WorkItem(rows.Length > 1 ? group.Shared : 0, rows, group.Shared + rows.Sum(r => (long)lengths[r] - group.Shared)));
    }
}

namespace Rlhf.Scoring;

/// <summary>Texts that begin with the same tokens.</summary>
/// <param name="Shared">Tokens of the beginning that is computed once.</param>
/// <param name="Rows">The texts, at least two.</param>
internal sealed record SharedBeginning(int Shared, int[] Rows);

/// <summary>
/// Finds which texts of a window share their beginning, as several responses share a prompt. Tokens are compared, not prompts: where a prompt's end
/// merges with a response into one token, only what is truly common is shared, and a text that was cut at the front shares nothing.
/// </summary>
internal static class SharedBeginnings
{
    /// <summary>Fewest shared tokens that are worth it.</summary>
    public const int Shortest = 16;

    /// <summary>What reading a text alone behind a beginning costs more than in a batch, in tokens: a call, and smaller matrices.</summary>
    private const int CallTokens = 12;

    /// <summary>
    /// Groups the texts so that most tokens are saved. In sorted order texts with the same beginning are neighbours; each interval of neighbours is
    /// either one group or falls apart where its common beginning is shortest, whichever saves more.
    /// </summary>
    /// <param name="tokens">[texts] all tokens.</param>
    /// <param name="limits">[texts] most tokens of each that may be shared.</param>
    /// <returns>The groups, and the texts that stay alone in rising order.</returns>
    public static (List<SharedBeginning> Groups, List<int> Alone) Find(IReadOnlyList<int[]> tokens, ReadOnlySpan<int> limits)
    {
        int[] most = limits.ToArray(), order = [.. Enumerable.Range(0, tokens.Count)];
        Array.Sort(order, (a, b) => tokens[a].AsSpan().SequenceCompareTo(tokens[b]) is var c and not 0 ? c : a - b);
        var open = new Stack<Interval>();
        open.Push(new Interval(0, 0));
        for (int i = 1; i <= order.Length; i++)
        {
            int common = i < order.Length ? Common(tokens, most, order[i - 1], order[i]) : 0, from = i - 1;
            Interval? closed = null;
            while (open.Peek().Common > common)
            {
                Interval top = open.Pop();
                if (closed is not null) top.Take(closed);
                top.Close(i);
                (closed, from) = (top, top.From);
            }

            if (open.Peek().Common < common) open.Push(new Interval(common, from));
            if (closed is not null) open.Peek().Take(closed);
        }

        List<SharedBeginning> groups = [.. open.Pop().Groups.Select(g => new SharedBeginning(g.Common, order[g.From..g.To]))];
        HashSet<int> grouped = [.. groups.SelectMany(g => g.Rows)];
        return (groups, [.. Enumerable.Range(0, tokens.Count).Where(i => !grouped.Contains(i))]);
    }

    private static int Common(IReadOnlyList<int[]> tokens, int[] limits, int a, int b)
    {
        int common = Math.Min(tokens[a].AsSpan().CommonPrefixLength(tokens[b]), Math.Min(limits[a], limits[b]));
        return common < Shortest ? 0 : common;
    }

    /// <summary>Neighbours in sorted order with a beginning in common, and the best groups among them.</summary>
    private sealed class Interval(int common, int from)
    {
        private long _saved;

        public int Common => common;

        public int From => from;

        public List<(int Common, int From, int To)> Groups { get; private set; } = [];

        public void Take(Interval inner)
        {
            _saved += inner._saved;
            // The longer list takes in the shorter one: no text is copied more than a few times.
            if (Groups.Count < inner.Groups.Count) (Groups, inner.Groups) = (inner.Groups, Groups);
            Groups.AddRange(inner.Groups);
        }

        /// <summary>The interval ends: one group where that saves more than the groups inside it.</summary>
        public void Close(int to)
        {
            long whole = ((to - from - 1L) * common) - ((to - from) * (long)CallTokens);
            if (whole <= _saved) return;
            (_saved, Groups) = (whole, [(common, from, to)]);
        }
    }
}

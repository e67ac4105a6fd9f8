namespace Rlhf.Algorithms;

/// <summary>
/// The random-walk task of trlX (and of Chen et al. 2021, "Decision transformer", section 3): a directed graph, node 0 the goal; a prompt is a start
/// node, a response the nodes walked to, and the reward says how near the path is to the shortest one. The optimum is known: 1.
/// Deviations: 1. every node reaches the goal in fewer than the maximal number of nodes (trlX gives an unreachable start length 10, whose optimality
/// is 0/0). 2. A walk that stops before the goal has optimality 0, as one that never arrives.
/// </summary>
public sealed class RandomWalks
{
    private readonly bool[,] _edges;
    private readonly int[] _shortest;

    private RandomWalks(bool[,] edges, int maximalLength)
    {
        (_edges, MaximalLength) = (edges, maximalLength);
        _shortest = ShortestLengths(edges);
    }

    /// <summary>Nodes of the graph, the goal included.</summary>
    public int Nodes => _edges.GetLength(0);

    /// <summary>The node to reach.</summary>
    public static int Goal => 0;

    /// <summary>Nodes a path may have, its start and the goal included.</summary>
    public int MaximalLength { get; }

    /// <summary>Draws graphs until every node has a way to the goal.</summary>
    /// <param name="uniform">Random numbers in (0, 1) by address (attempt, from · nodes + to).</param>
    /// <param name="nodes">trlX: 21.</param>
    /// <param name="maximalLength">trlX: 10.</param>
    /// <param name="edgeProbability">trlX: 0.1.</param>
    public static RandomWalks Create(Func<int, int, double> uniform, int nodes = 21, int maximalLength = 10, double edgeProbability = 0.1)
    {
        Require.Range(nodes >= 2, nodes, "at least 2");
        Require.Range(maximalLength >= 3, maximalLength, "at least 3");
        Require.Range(edgeProbability is > 0 and <= 1, edgeProbability, "in (0, 1]");
        for (int attempt = 0; ; attempt++)
        {
            bool[,] edges = new bool[nodes, nodes];
            for (int from = 1; from < nodes; from++)
                for (int to = 0; to < nodes; to++)
                    edges[from, to] = from != to && uniform(attempt, (from * nodes) + to) < edgeProbability;
            edges[Goal, Goal] = true; // the goal holds
            RandomWalks walks = new(edges, maximalLength);
            if (walks._shortest.All(length => length < maximalLength)) return walks;
        }
    }

    /// <summary>Whether the graph has the edge.</summary>
    public bool HasEdge(int from, int to) => _edges[from, to];

    /// <summary>Nodes of the shortest path from <paramref name="start"/> to the goal, both included.</summary>
    public int ShortestLength(int start) => _shortest[start];

    /// <summary>A walk of the behaviour policy: each step to a neighbour at random, until the goal or the maximal length.</summary>
    /// <param name="start">1 .. nodes − 1.</param>
    /// <param name="uniform">Random numbers in (0, 1) by step.</param>
    public int[] Walk(int start, Func<int, double> uniform)
    {
        Require.Range(start >= 1 && start < Nodes, start, $"in 1..{Nodes - 1}");
        List<int> path = [start];
        while (path.Count < MaximalLength && path[^1] != Goal)
        {
            int from = path[^1];
            int[] neighbours = [.. Enumerable.Range(0, Nodes).Where(to => _edges[from, to])];
            path.Add(neighbours[(int)(uniform(path.Count - 1) * neighbours.Length)]);
        }

        return [.. path];
    }

    /// <summary>
    /// (maximal − length) / (maximal − shortest), with length the nodes up to the goal; 1 for a shortest path, 0 for a step along no edge, for a path
    /// that is too long, and for one that does not arrive. What follows the goal is not looked at.
    /// </summary>
    /// <param name="path">The start node and the nodes walked to. Ids outside the graph are steps along no edge.</param>
    public double Optimality(ReadOnlySpan<int> path)
    {
        if (path.IsEmpty || path[0] < 1 || path[0] >= Nodes) throw new ArgumentException($"A path starts at a node in 1..{Nodes - 1}.", nameof(path));
        for (int i = 1; i < path.Length && i < MaximalLength; i++)
        {
            if (path[i] < 0 || path[i] >= Nodes || !_edges[path[i - 1], path[i]]) return 0;
            if (path[i] == Goal) return (double)(MaximalLength - (i + 1)) / (MaximalLength - _shortest[path[0]]);
        }

        return 0;
    }

    /// <summary>Breadth-first from the goal against the edges; int.MaxValue where there is no way.</summary>
    private static int[] ShortestLengths(bool[,] edges)
    {
        int nodes = edges.GetLength(0);
        int[] length = new int[nodes];
        Array.Fill(length, int.MaxValue);
        length[Goal] = 1;
        Queue<int> queue = new([Goal]);
        while (queue.TryDequeue(out int to))
        {
            for (int from = 0; from < nodes; from++)
            {
                if (!edges[from, to] || length[from] != int.MaxValue) continue;
                length[from] = length[to] + 1;
                queue.Enqueue(from);
            }
        }

        return length;
    }
}

namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class RandomWalksTests
{
    private static double Uniform(ulong seed, int a, int b) => new TestRandom(seed ^ ((ulong)a << 32) ^ ((ulong)b * 0x9E3779B97F4A7C15UL)).Uniform();

    private static RandomWalks Graph(ulong seed = 1002) => RandomWalks.Create((attempt, edge) => Uniform(seed, attempt, edge));

    [Test]
    public void TheGraphIsAFunctionOfItsSeed()
    {
        RandomWalks a = Graph(), b = Graph(), c = Graph(7);
        bool same = true;
        for (int i = 0; i < 21; i++)
            for (int j = 0; j < 21; j++)
            {
                Assert.That(a.HasEdge(i, j), Is.EqualTo(b.HasEdge(i, j)));
                same &= a.HasEdge(i, j) == c.HasEdge(i, j);
            }

        Assert.That(same, Is.False);
        Assert.That((a.Nodes, a.MaximalLength, RandomWalks.Goal), Is.EqualTo((21, 10, 0)));
    }

    [Test]
    public void ShortestLengthsEqualDepthFirstEnumeration()
    {
        RandomWalks graph = Graph();
        for (int start = 1; start < graph.Nodes; start++)
        {
            Assert.That(graph.ShortestLength(start), Is.EqualTo(Search(graph, start, 1)));
            Assert.That(graph.ShortestLength(start), Is.LessThan(graph.MaximalLength));
        }

        // All paths up to the length of the best one so far, each tried.
        static int Search(RandomWalks g, int node, int length, int best = 10)
        {
            if (node == 0) return length;
            for (int to = 0; to < g.Nodes && length + 1 < best; to++)
                if (g.HasEdge(node, to)) best = Math.Min(best, Search(g, to, length + 1, best));
            return best;
        }
    }

    [Test]
    public void OptimalityIsOneForAShortestPathAndZeroForABadOne()
    {
        RandomWalks graph = Graph();
        for (int start = 1; start < graph.Nodes; start++)
        {
            List<int> path = [start];
            while (path[^1] != 0)
                path.Add(Enumerable.Range(0, graph.Nodes).First(n => graph.HasEdge(path[^1], n) && graph.ShortestLength(n) == graph.ShortestLength(path[^1]) - 1));
            Assert.That(graph.Optimality([.. path]), Is.EqualTo(1));
            Assert.That(graph.Optimality([.. path, 99, -1]), Is.EqualTo(1), "what follows the goal is not looked at");
            Assert.That(graph.Optimality([start]), Is.Zero, "does not arrive");
            Assert.That(graph.Optimality([start, start]), Is.Zero, "no edge");
            Assert.That(graph.Optimality([start, 21]), Is.Zero, "no node");
        }

        Assert.Throws<ArgumentException>(() => graph.Optimality([0]));
    }

    [Test]
    public void OptimalityOfADetourIsItsShare()
    {
        // 1 → 0, 1 ⇄ 2: the direct path has 2 of 4 nodes, the detour 1 2 1 0 has 4: (4 − 4)/(4 − 2) = 0; with 6 allowed (6 − 4)/(6 − 2) = ½.
        RandomWalks Small(int maximal) => RandomWalks.Create((_, edge) => edge is 3 or 5 or 7 ? 0.01 : 0.99, nodes: 3, maximalLength: maximal);
        Assert.That(Small(6).Optimality([1, 2, 1, 0]), Is.EqualTo(0.5));
        Assert.That(Small(4).Optimality([1, 2, 1, 0]), Is.Zero);
        Assert.That(Small(4).Optimality([1, 2, 1, 2, 1, 0]), Is.Zero, "too long");
        Assert.That(Small(6).ShortestLength(2), Is.EqualTo(3));
    }

    [Test]
    public void WalksFollowEdgesAndLeaveRoomForLearning()
    {
        RandomWalks graph = Graph();
        double sum = 0;
        const int Walks = 1000;
        for (int i = 0; i < Walks; i++)
        {
            int[] walk = graph.Walk(1 + (i % 20), step => Uniform(5, i, step));
            Assert.That(walk, Has.Length.LessThanOrEqualTo(10));
            for (int t = 1; t < walk.Length; t++) Assert.That(graph.HasEdge(walk[t - 1], walk[t]));
            Assert.That(Array.IndexOf(walk, 0), Is.AnyOf(-1, walk.Length - 1), "a walk ends at the goal");
            sum += graph.Optimality(walk);
        }

        TestContext.Out.WriteLine($"behaviour policy: mean optimality {sum / Walks:F3}");
        Assert.That(sum / Walks, Is.InRange(0.05, 0.7), "the behaviour policy must be neither useless nor solved");
    }
}

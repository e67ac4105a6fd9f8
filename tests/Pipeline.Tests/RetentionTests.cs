using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>Which checkpoints stay.</summary>
public sealed class RetentionTests
{
    private static MetricRow[] Scores(params double[] scores) => [.. scores.Select((s, i) => new MetricRow(i + 1, new Dictionary<string, double> { ["score/mean"] = s }))];

    // Row k + 1 judges checkpoint k: 3.0 in row 4 is the score of checkpoint 3.
    [Test]
    public void TheNextIterationJudges() => Assert.Multiple(() =>
    {
        Assert.That(Retention.Best(Scores(9, 1, 2, 3, 2.5), "score/mean"), Is.EqualTo(3), "row 1 judges the policy that the run began with");
        Assert.That(Retention.Best(Scores(0, 2, 2, 1), "score/mean"), Is.EqualTo(1), "of equals the earliest");
        Assert.That(Retention.Best(Scores(0, double.NaN, 1), "score/mean"), Is.EqualTo(2));
        Assert.That(Retention.Best(Scores(4), "score/mean"), Is.Null);
        Assert.That(Retention.Best(Scores(1, 2, 3), ""), Is.Null);
        Assert.That(Retention.Best(Scores(1, 2, 3), "entropy"), Is.Null);
    });

    /// <summary>Iteration by iteration, as a run does it: the best is never removed before it is known to be the best.</summary>
    [Test]
    public void TheBestIsAlwaysThere()
    {
        double[] scores = [0, 1, 5, 2, 4, 7, 3, 3, 3, 8, 1, 1];
        HashSet<int> kept = [];
        for (int i = 1; i <= scores.Length; i++)
        {
            kept.Add(i);
            int? best = Retention.Best(Scores(scores[..i]), "score/mean");
            if (best is { } b) Assert.That(kept, Does.Contain(b), $"after iteration {i}");
            kept.RemoveWhere(k => !Retention.Keeps(k, i, best, last: 2));
            Assert.That(kept, Has.Count.LessThanOrEqualTo(3).And.Contain(i));
        }

        Assert.That(kept, Is.EquivalentTo(new[] { 9, 11, 12 }));
    }

    [Test]
    public void ZeroKeepsAll() => Assert.That(Enumerable.Range(1, 9).All(i => Retention.Keeps(i, 9, null, 0)));
}

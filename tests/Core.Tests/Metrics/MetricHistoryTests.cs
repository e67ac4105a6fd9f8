using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class MetricHistoryTests
{
    private static MetricRow Row(int iteration, params (string Name, double Value)[] values) => new(iteration, values.ToDictionary(v => v.Name, v => v.Value));

    private static MetricRow[] Rows =>
    [
        Row(1, ("time/iteration_seconds", 1.5), ("kl/coefficient", 0.1), ("policy/loss", double.NaN), ("reward/b/mean", 2), ("reward/a/mean", double.NegativeInfinity), ("score/mean", 0.5)),
        Row(2, ("score/mean", 0.25), ("reward/b/mean", 3), ("reward/a/mean", 1e-300), ("policy/loss", -0.0), ("kl/coefficient", 0.2), ("time/iteration_seconds", 2)), // the same names in another order
        Row(3, ("score/mean", 0.125)),
        Row(4, ("score/mean", 1), ("reward/c/mean", 3), ("reward/a/mean", 1e-300), ("policy/loss", -0.0), ("kl/coefficient", 0.2), ("time/iteration_seconds", 2)), // as many names, another one
    ];

    private static MetricHistory Kept
    {
        get
        {
            MetricHistory history = new();
            foreach (MetricRow row in Rows) history.Add(row);
            return history;
        }
    }

    [Test]
    public void RowsAreThoseThatWereAdded()
    {
        MetricHistory kept = Kept;
        Assert.That(kept.Select(r => r.Iteration), Is.EqualTo(new[] { 1, 2, 3, 4 }));
        foreach ((MetricRow row, MetricRow added) in kept.Zip(Rows))
        {
            Assert.That(row.Values, Is.EquivalentTo(added.Values));
            foreach ((string name, double value) in added.Values) Assert.That(row.Values[name], Is.EqualTo(value));
        }

        Assert.That(kept[2].Values.ContainsKey("policy/loss"), Is.False);
        Assert.That(kept[2].Values.GetValueOrDefault("policy/loss", 7), Is.EqualTo(7));
        Assert.That(() => kept[2].Values["policy/loss"], Throws.InstanceOf<KeyNotFoundException>().With.Message.Contains("policy/loss"));
    }

    [Test]
    public void TheyAreWrittenAsRowsOfAnyOtherKind()
    {
        Assert.That(Kept.Select(r => MetricsFile.ToLine(r)), Is.EqualTo(Rows.Select(r => MetricsFile.ToLine(r))));
        using MemoryStream kept = new(), others = new();
        MetricsFile.WriteWithoutTimes(kept, Kept);
        MetricsFile.WriteWithoutTimes(others, Rows);
        Assert.That(kept.ToArray(), Is.EqualTo(others.ToArray()));
        Assert.That(System.Text.Encoding.UTF8.GetString(kept.ToArray()).Split('\n')[2], Is.EqualTo("""{"iteration":3,"score/mean":0.125}"""));
    }

    [Test]
    public void ANameThatNobodyKnowsIsRefused() => Assert.That(() => Kept.Add(Row(5, ("made/up", 1))), Throws.ArgumentException.With.Message.Contains("made/up"));

    [Test]
    public void ARowCostsLittleMoreThanItsNumbers()
    {
        MetricHistory history = new();
        Dictionary<string, double> values = Enumerable.Range(0, 80).ToDictionary(i => $"reward/r{i}/mean", i => (double)i);
        history.Add(new MetricRow(0, values));
        const int rows = 1000;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 1; i <= rows; i++) history.Add(new MetricRow(i, new Dictionary<string, double>(values)));
        long bytes = (GC.GetTotalMemory(forceFullCollection: true) - before) / rows;
        Assert.That(bytes, Is.InRange(80 * sizeof(double), 80 * sizeof(double) + 200));
        GC.KeepAlive(history);
    }
}

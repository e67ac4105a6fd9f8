using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class MetricsWriterTests
{
    private static readonly Dictionary<string, double> Row = new()
    {
        ["time/iteration_seconds"] = 1.5,
        ["kl/coefficient"] = 0.1,
        ["policy/loss"] = double.NaN,
        ["reward/b/mean"] = 2,
        ["reward/a/mean"] = double.NegativeInfinity,
        ["score/mean"] = 0.5,
    };

    private const string Line = """{"iteration":1,"score/mean":0.5,"reward/a/mean":"-Infinity","reward/b/mean":2,"kl/coefficient":0.1,"policy/loss":"NaN","time/iteration_seconds":1.5}""";

    [Test]
    public void LinesAreInCatalogueOrderAndOnDiskAtOnce()
    {
        using TemporaryFolder folder = new();
        using MetricsWriter writer = new(folder["metrics.jsonl"]);
        writer.Write(1, Row);
        Assert.That(ReadShared(folder["metrics.jsonl"]), Is.EqualTo(Line + "\n"));
        Assert.That(() => writer.Write(2, new Dictionary<string, double> { ["made/up"] = 1 }), Throws.ArgumentException);
        Assert.That(ReadShared(folder["metrics.jsonl"]), Is.EqualTo(Line + "\n"));
    }

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        using TemporaryFolder folder = new();
        using (MetricsWriter writer = new(folder["m"])) writer.Write(1, Row);
        MetricRow row = MetricsFile.Read(folder["m"]).Single();
        Assert.That(row.Iteration, Is.EqualTo(1));
        Assert.That(row.Values, Is.EquivalentTo(Row));
        Assert.That(MetricsFile.WithoutTimes(folder["m"]), Is.EqualTo(Line.Replace(",\"time/iteration_seconds\":1.5", "", StringComparison.Ordinal) + "\n"));
    }

    [Test]
    public void ResumeCutsLaterRowsAndAHalfWrittenLine()
    {
        using TemporaryFolder folder = new();
        using (MetricsWriter writer = new(folder["m"]))
        {
            for (int i = 1; i <= 4; i++) writer.Write(i, new Dictionary<string, double> { ["loss"] = i });
        }

        File.AppendAllText(folder["m"], "{\"iteration\":5,\"lo");
        Assert.That(MetricsFile.Read(folder["m"]).Select(r => r.Iteration), Is.EqualTo(new[] { 1, 2, 3, 4 }));
        using (MetricsWriter writer = new(folder["m"], keepThrough: 2)) writer.Write(3, new Dictionary<string, double> { ["loss"] = 30 });
        Assert.That(File.ReadAllText(folder["m"]), Is.EqualTo("{\"iteration\":1,\"loss\":1}\n{\"iteration\":2,\"loss\":2}\n{\"iteration\":3,\"loss\":30}\n"));
    }

    [Test]
    public void ADamagedLineIsNamed()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("m", "{\"iteration\":1}\n{\"loss\":1}\n");
        BadDataException error = Assert.Throws<BadDataException>(() => MetricsFile.Read(path))!;
        Assert.That(error.Message, Is.EqualTo($"{path}:2: this line is not a metrics row (a JSON object with \"iteration\" and numbers): there is no \"iteration\""));
    }

    [Test]
    public void WhatCanBeReadOfADamagedFileIsRead()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("m", "{\"iteration\":1}\nnonsense\n{\"loss\":1}\n{\"iteration\":4}\n{\"iteration\":5");
        Assert.That(MetricsFile.ReadUndamaged(path, out string? badLine).Select(r => r.Iteration), Is.EqualTo(new[] { 1, 4 }));
        Assert.That(badLine, Does.StartWith($"{path}:2: "));
        Assert.That(MetricsFile.ReadUndamaged(folder["absent"], out badLine), Is.Empty);
        Assert.That(badLine, Is.Null);
    }

    private static string ReadShared(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}

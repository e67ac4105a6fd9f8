using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Windows are bounded by all that their rows bring into memory.</summary>
public sealed class WindowTests : Fixture
{
    private const int Rows = 70, Long = 1 << 19;

    private static int[] Windows(string path, bool metadata, params string[] further)
    {
        using ScoringRows rows = new(new ScoringJob { Input = path, Output = "" }, further, metadata);
        return [.. rows.Windows(4096).Select(w => w.Count)];
    }

    /// <summary>Rows with one fat column each.</summary>
    private string Fat(ColumnType type, string name)
    {
        using DataWriter writer = DataWriter.Create(At("fat.parquet"), [new("response", ColumnType.Text), new("prompt_tokens", ColumnType.Int32List), new("response_tokens", ColumnType.Int32List), new(name, type)]);
        string text = "\"" + new string('m', Long) + "\"";
        for (int i = 0; i < Rows; i++)
        {
            writer.Set(0, "word");
            writer.Set(1, name == "x" ? new int[Long] : [1]);
            writer.Set(2, [1]);
            if (name != "x") writer.Set(3, text);
            writer.EndRow();
        }

        writer.Complete();
        return At("fat.parquet");
    }

    [Test]
    public void MetadataCountsWhereItIsReadAndIsNotReadForNothing()
    {
        string path = Fat(ColumnType.Json, "metadata");
        // 1 MB a row as UTF-16: the 32nd row fills a window of 32 MB.
        Assert.That(Windows(path, metadata: true), Is.EqualTo(new[] { 32, 32, 6 }));
        Assert.That(Windows(path, metadata: false), Is.EqualTo(new[] { Rows }));
        using ScoringRows rows = new(new ScoringJob { Input = path, Output = "" }, [], metadata: false);
        Assert.That(rows.Windows(4096).First()[0].Input.Metadata, Is.Null);
    }

    [Test]
    public void FurtherColumnsCountToo() => Assert.That(Windows(Fat(ColumnType.Text, "answer"), false, "answer"), Is.EqualTo(new[] { 32, 32, 6 }));

    [Test]
    public void TokensCountToo() => Assert.That(Windows(Fat(ColumnType.Text, "x"), false), Is.EqualTo(new[] { 16, 16, 16, 16, 6 }), "2 MB a row");

    [Test]
    public void WhoReadsMetadata()
    {
        static bool Reads(params RewardSourceConfig[] rewards) => RewardSource.Open(rewards, 1).Single().ReadsMetadata;
        Assert.That(Reads(new RewardSourceConfig { Rule = "variety" }), Is.False);
        Assert.That(Reads(new RewardSourceConfig { Rule = "numeric-answer" }), Is.True);
        Assert.That(Reads(new RewardSourceConfig { Model = Reward("reward").Folder }), Is.False);
    }
}

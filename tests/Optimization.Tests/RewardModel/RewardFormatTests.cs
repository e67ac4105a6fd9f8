using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

/// <summary>Pairs, rankings, conversations and steps from each kind of file, also where a list stands as JSON text.</summary>
public sealed class RewardFormatTests : FolderTest
{
    private readonly List<string> _told = [];

    private RewardRow[] Read(RewardObjective objective, string path, Func<RewardModelConfig, RewardModelConfig>? change = null)
    {
        _told.Clear();
        RewardModelConfig config = new() { Objective = objective, Data = [path] };
        return [.. RewardRows.Read(change is null ? config : change(config), [path], _told.Add)];
    }

    /// <summary>Rows of texts as a file of the format that the name says.</summary>
    private string Table(string name, string[] columns, params string[][] rows)
    {
        using DataWriter writer = DataWriter.Create(At(name), [.. columns.Select(c => new DataColumn(c, ColumnType.Text))]);
        foreach (string[] row in rows)
        {
            for (int c = 0; c < row.Length; c++) writer.Set(c, row[c]);
            writer.EndRow();
        }

        writer.Complete();
        return At(name);
    }

    private static string Json(params string[] texts) => JsonSerializer.Serialize(texts);

    private static string Messages(params string[] texts) => JsonSerializer.Serialize(texts.Select((t, i) => new { role = i % 2 == 0 ? "user" : "assistant", content = t }));

    [Test]
    public void Pairs([Values("p.parquet", "p.jsonl", "p.csv")] string name)
    {
        string[] odd = ["[ok] \"fine\", x\ny", "[1, 2]"]; // in brackets, and no conversations
        RewardRow[] rows = Read(RewardObjective.Pairwise, Table(name, ["chosen", "rejected"], odd, ["good", "bad"]));
        Assert.That(rows.Select(r => r.Texts), Is.EqualTo(new[] { odd, ["good", "bad"] }));
        Assert.That(_told, Is.Empty);
    }

    [Test]
    public void PairsOfConversations([Values("m.parquet", "m.jsonl", "m.csv")] string name)
    {
        string path = Table(name, ["prompt", "chosen", "rejected"], ["[]", "[]", "[]"], [Messages("Hi "), Messages("Hi ", "She said \"a, b\"\n"), Messages("Hi ", "[Go]")]);
        RewardRow[] rows = Read(RewardObjective.Pairwise, path, c => c with { PromptColumn = "prompt" });
        Assert.That(rows[1].Texts, Is.EqualTo(new[] { "Hi She said \"a, b\"\n", "Hi [Go]" }));
        Assert.That(rows[1].Prompt, Is.EqualTo("Hi "));
        Assert.That(_told.Count(t => t.Contains("are lists of messages")), Is.EqualTo(3));
    }

    [Test]
    public void Rankings([Values("r.parquet", "r.jsonl", "r.csv")] string name, [Values(RewardObjective.KWise, RewardObjective.PlackettLuce)] RewardObjective objective)
    {
        string[] answers = ["best, with a comma", "\"second\"\nline", "third"];
        RewardRow[] rows = Read(objective, Table(name, ["ranking"], [Json(answers)], [Json("only")]));
        Assert.That(rows[0].Texts, Is.EqualTo(answers));
        Assert.That(rows[1].Reason, Is.EqualTo("a ranking of fewer than two answers"));
        Assert.That(_told.Single(), Does.Contain("'ranking' are read as JSON lists of texts, best first"));
    }

    [Test]
    public void Steps([Values("s.parquet", "s.jsonl", "s.csv")] string name)
    {
        RewardRow row = Read(RewardObjective.Process, Table(name, ["steps", "step_labels"], [Json("a\n", "b"), "[1, 0]"])).Single();
        Assert.That(row.Texts, Is.EqualTo(new[] { "a\n", "b" }));
        Assert.That(row.Steps, Is.EqualTo(new double[] { 1, 0 }));
    }

    [Test]
    public void NestedListsAreReadAsEver([Values("n.jsonl", "n.parquet")] string name)
    {
        string path = Text("n.jsonl", "{\"ranking\":[\"a\",\"b\"],\"steps\":[\"x\"],\"step_labels\":[1]}\n");
        if (name.EndsWith(".parquet", StringComparison.Ordinal))
        {
            using TableAugmenter copy = TableAugmenter.Create(path, At(name), [new DataColumn("n", ColumnType.Int32)]);
            copy.Rows.Set(0, 1);
            copy.Rows.EndRow();
            copy.Complete();
        }

        Assert.That(Read(RewardObjective.KWise, At(name)).Single().Texts, Is.EqualTo(new[] { "a", "b" }));
        Assert.That(Read(RewardObjective.Process, At(name)).Single().Steps, Is.EqualTo(new double[] { 1 }));
        Assert.That(_told, Is.Empty);
    }

    [TestCase("[\"a\", 1]")]
    [TestCase("[\"a\"")]
    [TestCase("a and b")]
    [TestCase("[\"a\", null]")]
    public void ABrokenListIsNamedWithItsRow(string broken)
    {
        string path = Table("b.csv", ["ranking"], [Json("a", "b")], [broken]);
        Assert.That(Assert.Throws<BadDataException>(() => Read(RewardObjective.KWise, path))!.Message, Does.Contain("b.csv, row 2: column 'ranking' is no list of texts"));
        path = Table("c.csv", ["chosen", "rejected"], [Messages("a"), Messages("b")], [Messages("a"), broken]);
        Assert.That(Assert.Throws<BadDataException>(() => Read(RewardObjective.Pairwise, path))!.Message, Does.Contain("c.csv, row 2: column 'rejected' is no list of {role, content}"));
    }

    [Test]
    public void AListOfTextsIsNoText()
    {
        string path = Text("t.jsonl", "{\"chosen\":[\"a\"],\"rejected\":[\"b\"]}\n");
        Assert.That(Assert.Throws<BadDataException>(() => Read(RewardObjective.Pairwise, path))!.Message, Does.Contain("column 'chosen' is VARCHAR[]; expected text, numbers or lists of {role, content}"));
    }
}

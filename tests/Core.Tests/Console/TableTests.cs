using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class TableTests
{
    [Test]
    public void PlainTablesAreMarkdown() => Assert.That(
        new ConsoleTable("", "before", "after") { Title = "Held-out prompts" }.Add("score", "0.51", "0.93").Add("distinct-2", "0.8").ToPlainText().ReplaceLineEndings("\n"),
        Is.EqualTo(
            """
            Held-out prompts

            |            | before | after |
            |------------|-------:|------:|
            | score      |   0.51 |  0.93 |
            | distinct-2 |    0.8 |       |

            """));

    [Test]
    public void TheIterationTableRepeatsItsHeader()
    {
        StringWriter text = new() { NewLine = "\n" };
        IterationTable table = new([new("score", "score/mean"), new("kl", "kl/k3_per_token", "0.0000")], text);
        for (int i = 1; i <= 21; i++) table.Print(i, new Dictionary<string, double> { ["score/mean"] = 0.5 });
        string[] lines = text.ToString().Split('\n');
        Assert.That(lines[0], Is.EqualTo("  iter    score       kl"));
        Assert.That(lines[1], Is.EqualTo(new string('─', lines[0].Length)));
        Assert.That(lines[2], Is.EqualTo("     1    0.500        –"));
        Assert.That(lines[22], Is.EqualTo(lines[0]));
        Assert.That(lines[24], Does.StartWith("    21 "));
    }
}

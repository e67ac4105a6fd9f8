using NUnit.Framework;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>The built rlhf-score: files, columns, exit codes.</summary>
public sealed class ExecutableTests : Fixture
{
    [Test]
    public void EveryFormatKeepsColumnsAndOrderAndTwoRunsGiveTheSameBytes()
    {
        string[] rows = [.. Enumerable.Range(0, 12).Select(i => $"{{\"id\":{i},\"response\":\"{Words((uint)i)}\",\"note\":\"n{i}\"}}")];
        string input = Text("in.jsonl", rows), reward = Reward("reward").Folder, policy = Policy("policy").Folder;
        string[] options = ["--reward-model", reward, "--rule", "variety@0.5", "--reference", policy, "--threads", "1"];
        foreach (string next in (string[])["a.parquet", "b.jsonl", "c.csv", "d.parquet"])
        {
            (int code, _, string error) = Program(["--in", input, "--out", At(next), .. options]);
            Assert.That(code, Is.Zero, error);
            using DataReader reader = DataReader.Open(At(next));
            Assert.That(reader.FileColumns.Select(c => c.Name), Is.EqualTo(new[] { "id", "response", "note", "rewards", "score", "reference_logprobs" }));
            foreach (RowBatch batch in reader.Batches())
            {
                for (int r = 0; r < batch.Count; r++) Assert.That(batch.GetString(reader.Require("note"), r), Is.EqualTo($"n{r}"));
            }

            input = At(next); // each format is read in turn
        }

        Program(["--in", At("in.jsonl"), "--out", At("again.parquet"), .. options]);
        Assert.That(File.ReadAllBytes(At("again.parquet")), Is.EqualTo(File.ReadAllBytes(At("a.parquet"))));
        Assert.That(Directory.GetFiles(Folder, "*.partial"), Is.Empty);
    }

    [Test]
    public void BadInputHasItsExitCodeAndLeavesNothing()
    {
        string input = Text("in.jsonl", "{\"text\":\"x\"}");
        Check(3, "does not exist", "--in", At("absent.jsonl"), "--out", At("o.parquet"), "--rule", "variety");
        Check(3, "column 'response'", "--in", input, "--out", At("o.parquet"), "--rule", "variety");
        Check(2, "There is no rule 'politeness'", "--in", input, "--out", At("o.parquet"), "--response-column", "text", "--rule", "politeness");
        Check(4, "a policy folder is none", "--in", input, "--out", At("o.parquet"), "--response-column", "text", "--reward-model", Policy("policy").Folder);
        Check(3, "Cannot write", "--in", input, "--out", Path.Combine(input, "o.parquet"), "--response-column", "text", "--rule", "variety");
        Check(2, "Nothing to score with", "--in", input, "--out", At("o.parquet"), "--response-column", "text");
        Check(2, "--batch-tokens is 1", "--in", input, "--out", At("o.parquet"), "--response-column", "text", "--rule", "variety", "--batch-tokens", "1");
        string[] rule = ["--in", input, "--out", At("o.parquet"), "--response-column", "text", "--rule", "variety"];
        Check(2, "--threads is -2", [.. rule, "--threads", "-2"]);
        Check(2, "--transform is for reward models, and none is named", [.. rule, "--transform", "sigmoid"]);
        Check(2, "--response-only is for reward models", [.. rule, "--response-only"]);
        Check(2, "--reward-timeout is for reward programs and endpoints, and none is named", [.. rule, "--reward-timeout", "5"]);
        Check(2, "--step-delimiter is for --per step", "--in", input, "--out", At("o.parquet"), "--reward-model", "x", "--step-delimiter", ";");
        Check(2, "The weight in 'variety@NaN' is NaN", "--in", input, "--out", At("o.parquet"), "--rule", "variety@NaN");
        Check(2, "The weight in 'x@1e400' is 1e400", "--in", input, "--out", At("o.parquet"), "--reward-model", "x@1e400");
        Check(2, "the weight in 'len@1.2.3' is no number", "--in", input, "--out", At("o.parquet"), "--reward-program", "len@1.2.3=cat");
        Assert.That(Directory.GetFiles(Folder, "o.*"), Is.Empty);
    }

    /// <summary>An output that a pattern matches too, or that a link leads to, would lose the input's rows.</summary>
    [Test]
    public void AnInputIsNeverReplacedByItsScores()
    {
        string a = Text("part-a.jsonl", "{\"response\":\"x\"}"), b = Text("part-b.jsonl", "{\"response\":\"y\"}"), before = File.ReadAllText(b);
        File.CreateSymbolicLink(At("link.jsonl"), b);
        Check(2, "is both input and output", "--in", At("part-*.jsonl"), "--out", b, "--rule", "variety");
        Check(2, "is both input and output", "--in", At("link.jsonl"), "--out", b, "--rule", "variety");
        Check(2, "is both input and output", "--in", b, "--out", At("link.jsonl"), "--rule", "variety");
        Directory.CreateSymbolicLink(At("again"), Folder);
        Check(2, "is both input and output", "--in", b, "--out", At("again/part-b.jsonl"), "--rule", "variety");
        Assert.That(File.ReadAllText(b), Is.EqualTo(before));
        Assert.That(Program("--in", At("part-*.jsonl"), "--out", At("all.jsonl"), "--rule", "variety").Code, Is.Zero);
        Assert.That(File.ReadAllLines(At("all.jsonl")), Has.Length.EqualTo(2));
        Assert.That(File.Exists(a));
    }

    private static void Check(int expected, string message, params string[] args)
    {
        (int code, _, string error) = Program(args);
        Assert.That((code, error), Is.EqualTo((expected, error)));
        Assert.That(error, Does.Contain(message).IgnoreCase);
    }
}

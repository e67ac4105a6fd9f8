using NUnit.Framework;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>What the input has from elsewhere is in the output, whatever it is called: through the built rlhf-score.</summary>
public sealed class KeptColumnsTests : Fixture
{
    private static string[] Names(string path)
    {
        using DataReader reader = DataReader.Open(path);
        return [.. reader.FileColumns.Select(c => c.Name)];
    }

    private static string?[] Values(string path, string column)
    {
        using DataReader reader = DataReader.Open(path, new ReadOptions { Columns = [new DataColumn(column, ColumnType.Json)] });
        return [.. reader.Batches().SelectMany(b => Enumerable.Range(0, b.Count).Select(r => b.GetString(0, r)).ToArray())];
    }

    private string Score(string input, string output, params string[] options)
    {
        (int code, _, string error) = Program(["--in", At(input), "--out", At(output), .. options]);
        Assert.That(code, Is.Zero, error);
        return error;
    }

    private void Refused(string input, string message, params string[] options)
    {
        (int code, _, string error) = Program(["--in", At(input), "--out", At("refused.parquet"), .. options]);
        Assert.That((code, error), Is.EqualTo((3, error)));
        Assert.That(error, Does.Contain(message));
        Assert.That(Directory.GetFiles(Folder, "refused*"), Is.Empty);
    }

    [TestCase("ratings.jsonl", "{\"response\":\"a\",\"score\":4}", "{\"response\":\"b\",\"score\":5}")]
    [TestCase("ratings.csv", "response,score", "a,4", "b,5")]
    public void RatingsOfOnesOwnAreNeverReplaced(string input, params string[] lines)
    {
        Text(input, lines);
        Refused(input, "has a column 'score'", "--rule", "variety");
        Refused(input, "--score-column NAME", "--rule", "variety", "--dry-run");
        Score(input, "out.parquet", "--rule", "variety", "--score-column", "reward");
        Assert.That(Names(At("out.parquet")), Is.EqualTo(new[] { "response", "score", "rewards", "reward" }));
        Assert.That(Values(At("out.parquet"), "score"), Is.EqualTo(new[] { "4", "5" }));
        Assert.That(Values(At("out.parquet"), "reward"), Is.EqualTo(new[] { "1.0", "1.0" }));
        // The output has our map of rewards now, and the ratings are still nobody's but the user's.
        Refused("out.parquet", "has a column 'rewards'", "--rule", "variety");
        Score("out.parquet", "again.parquet", "--rule", "length:target=3,width=2", "--score-column", "reward");
        Assert.That(Names(At("again.parquet")), Is.EqualTo(new[] { "response", "score", "rewards", "reward" }));
        Assert.That(Values(At("again.parquet"), "score"), Is.EqualTo(new[] { "4", "5" }));
        Assert.That(Values(At("again.parquet"), "reward"), Is.EqualTo(new[] { "0.0", "0.0" }));
    }

    [Test]
    public void NamesThatDifferInCaseAndMapsOfOthersCount()
    {
        Text("upper.jsonl", "{\"response\":\"a\",\"Score\":4}");
        Refused("upper.jsonl", "has a column 'Score'", "--rule", "variety");
        Text("map.jsonl", "{\"response\":\"a\",\"rewards\":{\"kind\":4}}");
        Refused("map.jsonl", "--rewards-column NAME", "--rule", "variety");
        Score("map.jsonl", "map.parquet", "--rule", "variety", "--rewards-column", "ours");
        Assert.That(Names(At("map.parquet")), Is.EqualTo(new[] { "response", "rewards", "ours", "score" }));
        Assert.That(Program("--in", At("map.jsonl"), "--out", At("o.parquet"), "--rule", "variety", "--score-column", "rewards").Code, Is.EqualTo(2));
        Assert.That(Program("--in", At("map.jsonl"), "--out", At("o.parquet"), "--rule", "variety", "--score-column", "token_rewards").Code, Is.EqualTo(2));
    }

    [Test]
    public void OnlyWhatARunComputesIsReplaced()
    {
        Text("in.jsonl", "{\"prompt\":\"p\",\"response\":\"a\",\"reference_logprobs\":[-1.5],\"token_rewards\":[0.5]}", "{\"prompt\":\"p\",\"response\":\"b b\",\"reference_logprobs\":[-2.5],\"token_rewards\":[0.25]}");
        Score("in.jsonl", "a.parquet", "--rule", "variety");
        Assert.That(Names(At("a.parquet")), Is.EqualTo(new[] { "prompt", "response", "reference_logprobs", "token_rewards", "rewards", "score" }));
        Assert.That(Values(At("a.parquet"), "reference_logprobs"), Is.EqualTo(new[] { "[-1.5]", "[-2.5]" }));
        Assert.That(Values(At("a.parquet"), "token_rewards"), Is.EqualTo(new[] { "[0.5]", "[0.25]" }));
        // A second scoring takes the place of the first, and says so; the rest stays.
        Assert.That(Score("a.parquet", "b.parquet", "--rule", "repetition"), Does.Contain("has rewards, score of a scoring before"));
        Assert.That(Names(At("b.parquet")), Is.EqualTo(Names(At("a.parquet"))));
        Assert.That(Values(At("b.parquet"), "rewards"), Has.All.Contains("repetition"));
        Assert.That(Values(At("b.parquet"), "reference_logprobs"), Is.EqualTo(new[] { "[-1.5]", "[-2.5]" }));
        // Reference log-probs alone leave rewards and score alone.
        string policy = Policy("policy").Folder;
        Assert.That(Score("b.parquet", "c.parquet", "--reference", policy), Does.Contain("has reference_logprobs of a scoring before"));
        Assert.That(Values(At("c.parquet"), "rewards"), Is.EqualTo(Values(At("b.parquet"), "rewards")));
        Assert.That(Values(At("c.parquet"), "score"), Is.EqualTo(Values(At("b.parquet"), "score")));
        Assert.That(Values(At("c.parquet"), "reference_logprobs"), Has.None.EqualTo("[-1.5]"));
        // A foreign column of that name is not ours to replace.
        Text("text.jsonl", "{\"prompt\":\"p\",\"response\":\"a\",\"reference_logprobs\":\"see file 7\"}");
        Refused("text.jsonl", "has a column 'reference_logprobs' (VARCHAR)", "--reference", policy);
    }
}

using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Parts of a table, tables in several files, options from a configuration.</summary>
public sealed class ShardTests : Fixture
{
    [TestCase(10, 3)]
    [TestCase(2, 5)]
    [TestCase(0, 2)]
    [TestCase(5_000_000_007, 1000)]
    public void PartsAreContiguousDisjointAndTheWhole(long rows, int count)
    {
        long next = 0;
        for (int i = 0; i < count; i++)
        {
            (long first, long own) = new Shard(i, count).Range(rows);
            Assert.That(first, Is.EqualTo(next));
            Assert.That(own, Is.InRange(rows / count, (rows / count) + 1));
            next = first + own;
        }

        Assert.That(next, Is.EqualTo(rows));
    }

    [TestCase("4/4")]
    [TestCase("-1/4")]
    [TestCase("1")]
    [TestCase("a/b")]
    [TestCase("1/2/3")]
    public void WrongPartsAreNamed(string text) =>
        Assert.That(Assert.Throws<ConfigurationException>(() => Shard.Parse(text))!.Message, Is.EqualTo($"--shard is '{text}'; it must be i/n with i from 0 to n − 1, as in 0/4, 1/4, 2/4 and 3/4."));

    [Test]
    public void TheUnionOfTheShardsIsTheWhole()
    {
        // Three files, named by a pattern; more parts than files, cut inside files.
        for (int f = 0; f < 3; f++) Text($"in-{f}.jsonl", [.. Enumerable.Range(0, 7).Select(i => $"{{\"id\":{(f * 7) + i},\"response\":\"{Words((uint)((f * 7) + i))}\"}}")]);
        string pattern = At("in-*.jsonl"), reward = Reward("reward").Folder;
        string[] options = ["--in", pattern, "--reward-model", reward, "--rule", "variety", "--threads", "1", "--window-rows", "3"];
        Assert.That(Program([.. options, "--out", At("whole.parquet")]).Code, Is.Zero);
        (int Id, string Response, double Score)[] whole = Read(At("whole.parquet")), union = [];
        Assert.That(whole.Select(r => r.Id), Is.EqualTo(Enumerable.Range(0, 21)));
        for (int i = 0; i < 4; i++)
        {
            (int code, _, string error) = Program([.. options, "--out", At($"part-{i}.parquet"), "--shard", $"{i}/4"]);
            Assert.That(code, Is.Zero, error);
            union = [.. union, .. Read(At($"part-{i}.parquet"))];
        }

        Assert.That(union.Select(r => (r.Id, r.Response)), Is.EqualTo(whole.Select(r => (r.Id, r.Response))));
        // Rows share a batch with others than in the whole: the scores differ by rounding.
        Assert.That(union.Select(r => r.Score), Is.EqualTo(whole.Select(r => r.Score)).Within(1e-5));
        Assert.That(Program([.. options, "--out", At("x.parquet"), "--shard", "4/4"]).Code, Is.EqualTo(2));
    }

    [Test]
    public void AConfigurationsThreadsAreUsed()
    {
        // 100 000 threads are out of the field's range: the field is read.
        string input = Text("in.jsonl", "{\"response\":\"x\"}"), config = Text("run.yaml", "threads: 100000");
        (int code, _, string error) = Program("--in", input, "--out", At("o.parquet"), "--rule", "variety", "--config", config);
        Assert.That((code, error), Is.EqualTo((2, error)));
        Assert.That(error, Does.Contain("threads"));
    }

    private static (int Id, string Response, double Score)[] Read(string path)
    {
        using DataReader reader = DataReader.Open(path);
        var rows = new List<(int, string, double)>();
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++)
                rows.Add(((int)batch.GetInt64(reader.Require("id"), r), batch.GetString(reader.Require("response"), r)!, batch.GetDouble(reader.Require("score"), r)));
        }

        return [.. rows];
    }
}

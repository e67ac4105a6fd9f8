using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

public sealed class RolloutFileTests : FileTest
{
    [TestCase("r.parquet")]
    [TestCase("r.jsonl.gz")]
    [TestCase("r.csv")]
    public void Rollouts_come_back_as_written(string name)
    {
        RolloutFile.Write(At(name), Enumerable.Range(0, 5000).Select(Samples.Rollout));
        Rollout[] read = [.. RolloutFile.Read(At(name))];
        Assert.That(read, Has.Length.EqualTo(5000));
        for (int i = 0; i < read.Length; i++) Samples.AssertEqual(read[i], Samples.Rollout(i));
    }

    [Test]
    public void Scored_rollouts_and_trajectories_come_back_as_written()
    {
        ScoredFile.Write(At("s.parquet"), Enumerable.Range(0, 3000).Select(i => new ScoredRollout(Samples.Rollout(i), Samples.Scores(i))));
        TrajectoryFile.Write(At("t.parquet"), Enumerable.Range(0, 3000).Select(i => new Trajectory(Samples.Rollout(i), Samples.Scores(i), Samples.Targets(i))));
        int n = 0;
        foreach (ScoredRollout row in ScoredFile.Read(At("s.parquet"))) Samples.AssertEqual(row, new ScoredRollout(Samples.Rollout(n), Samples.Scores(n++)));
        Assert.That(n, Is.EqualTo(3000));
        n = 0;
        foreach (Trajectory row in TrajectoryFile.Read(At("t.parquet")))
            Samples.AssertEqual(row, new Trajectory(Samples.Rollout(n), Samples.Scores(n), Samples.Targets(n++)));
        Assert.That(n, Is.EqualTo(3000));
    }

    [Test]
    public void A_chain_of_stages_gives_the_same_rows_and_keeps_an_unknown_column()
    {
        RolloutFile.Write(At("r.parquet"), Enumerable.Range(0, 2500).Select(Samples.Rollout));
        using (TableAugmenter user = TableAugmenter.Create(At("r.parquet"), At("u.parquet"), [new("mine", ColumnType.Int32List)]))
        {
            for (int i = 0; i < 2500; i++)
            {
                user.Rows.Set(0, new[] { i }.AsSpan());
                user.Rows.EndRow();
            }

            user.Complete();
        }

        ScoredFile.Augment(At("u.parquet"), At("s.parquet"), Enumerable.Range(0, 2500).Select(Samples.Scores));
        TrajectoryFile.Augment(At("s.parquet"), At("t.parquet"), Enumerable.Range(0, 2500).Select(Samples.Targets));
        int n = 0;
        foreach (Trajectory row in TrajectoryFile.Read(At("t.parquet")))
            Samples.AssertEqual(row, new Trajectory(Samples.Rollout(n), Samples.Scores(n), Samples.Targets(n++)));
        Assert.That(n, Is.EqualTo(2500));
        using DataReader reader = DataReader.Open(At("t.parquet"));
        Assert.That(reader.FileColumns.Select(c => c.Name), Does.Contain("mine"));
        Assert.That(Left(), Is.EqualTo(new[] { "r.parquet", "s.parquet", "t.parquet", "u.parquet" }));
    }

    [Test]
    public void A_row_that_contradicts_itself_is_refused_when_written()
    {
        Rollout good = Samples.Rollout(4);
        Assert.That(Message(() => RolloutFile.Write(At("r.parquet"), [good, good with { RolloutLogprobs = [-1] }])),
            Does.Contain("row 2").And.Contain("rollout_logprobs has 1 values but the response has 4 tokens"));
        Assert.That(Message(() => RolloutFile.Write(At("r.parquet"), [good with { PolicyLogprobs = [-1, -1, float.NaN, -1] }])),
            Does.Contain("row 1").And.Contain("policy_logprobs is NaN at token 3 of 4"));
        var row = new ScoredRollout(good, Samples.Scores(4) with { Score = double.NaN });
        Assert.That(Message(() => ScoredFile.Write(At("s.parquet"), [row])), Does.Contain("score is NaN"));
        row = new ScoredRollout(good, Samples.Scores(4) with { Rewards = new Dictionary<string, double> { ["r"] = double.PositiveInfinity } });
        Assert.That(Message(() => ScoredFile.Write(At("s.parquet"), [row])), Does.Contain("reward 'r' is"));
        var trajectory = new Trajectory(good, Samples.Scores(4), Samples.Targets(3));
        Assert.That(Message(() => TrajectoryFile.Write(At("t.parquet"), [trajectory])), Does.Contain("old_logprobs has 3 values but the response has 4"));
        Assert.That(Left(), Is.Empty);
    }

    [Test]
    public void A_row_that_contradicts_itself_is_refused_when_read()
    {
        foreach ((string what, string expected, Action<DataWriter> spoil) in new (string, string, Action<DataWriter>)[]
        {
            ("NaN", "rollout_logprobs is NaN at token 2 of 2", w => w.Set(8, new[] { -1f, float.NaN }.AsSpan())),
            ("length", "rollout_logprobs has 3 values but the response has 2 tokens", w => w.Set(8, new[] { -1f, -1, -1 }.AsSpan())),
            ("null", "column 'rollout_logprobs' has no value (null)", _ => { }),
        })
        {
            using (DataWriter writer = DataWriter.Create(At("bad.parquet"), RolloutFile.Columns))
            {
                for (int i = 0; i < 3001; i++)
                {
                    for (int c = 0; c < 17; c++)
                    {
                        switch (writer.Columns[c].Type)
                        {
                            case ColumnType.Int32: writer.Set(c, 1); break;
                            case ColumnType.Int64: writer.Set(c, 1L); break;
                            case ColumnType.Double: writer.Set(c, 1.0); break;
                            case ColumnType.Int32List: writer.Set(c, new[] { 1, 2 }.AsSpan()); break;
                            case ColumnType.FloatList when c == 8 && i == 3000: spoil(writer); break;
                            case ColumnType.FloatList: writer.Set(c, new[] { -1f, -2f }.AsSpan()); break;
                            default: writer.Set(c, c == 7 ? "eos" : "x"); break;
                        }
                    }

                    writer.EndRow();
                }

                writer.Complete();
            }

            Assert.That(Message(() => _ = RolloutFile.Read(At("bad.parquet")).Count()), Does.Contain("bad.parquet, row 3001").And.Contain(expected), what);
        }
    }

    [Test]
    public void A_file_without_a_column_or_without_rows_is_refused()
    {
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), [new("iteration", ColumnType.Int32), new("promt_id", ColumnType.Text)]))
        {
            writer.EndRow();
            writer.Complete();
        }

        Assert.That(Message(() => RolloutFile.Read(At("x.parquet"))), Does.Contain("no column 'prompt_id'. It has: iteration, promt_id. Did you mean 'promt_id'?"));
        RolloutFile.Write(At("none.parquet"), []);
        Assert.That(Message(() => _ = RolloutFile.Read(At("none.parquet")).Count()), Does.Contain("has no rows"));
    }
}

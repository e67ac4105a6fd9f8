using System.Buffers.Binary;
using System.Security.Cryptography;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Scoring.Tests;

/// <summary>A stopped run goes on exactly where everything that its numbers depend on is as it was.</summary>
public sealed class ResumeTests : Fixture
{
    private string[] Lines(int rows, int first = 0) => [.. Enumerable.Range(first, rows).Select(i => $"{{\"response\":\"{Words((uint)i)}\"}}")];

    private ScoringJob Job(string input, string output = "out.parquet") => new() { Input = input, Output = At(output), WindowRows = 8 };

    private static void StopAfterOneWindow(ScoringStage stage, ScoringJob job)
    {
        using CancellationTokenSource stop = new();
        Assert.Throws<InterruptedException>(() => stage.Run(job, _ => stop.Cancel(), stop.Token));
    }

    private static ScoringStage Stage(Counting function, string file = "") => new([], "", 1, [new OutsideReward("counted", 1, "function", () => function) { File = file }]);

    [Test]
    public void AnotherLexiconInTheSameFileIsAnotherRule()
    {
        string input = Text("in.jsonl", Lines(40)), lexicon = Text("words.tsv", "word1\t1");
        RewardSourceConfig rule = new() { Rule = $"lexicon:file={lexicon},per_word=false" };
        using (ScoringStage first = new([rule], "", 1)) StopAfterOneWindow(first, Job(input));
        // As long and of the same time: only the contents tell.
        DateTime time = File.GetLastWriteTimeUtc(lexicon);
        Text("words.tsv", "word1\t2");
        File.SetLastWriteTimeUtc(lexicon, time);
        using ScoringStage second = new([rule], "", 1);
        second.Run(Job(input));
        second.Run(Job(input, "whole.parquet"));
        Assert.That(File.ReadAllBytes(At("out.parquet")), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
    }

    /// <summary>A configuration or a table edited within the clock's step keeps size and time.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void ASmallFileOfTheSameSizeAndTimeIsAnotherOne(bool ofTheModel)
    {
        string input = Text("in.jsonl", Lines(40)), file = ofTheModel ? Path.Combine(Reward("reward").Folder, "rlhf_config.json") : input;
        RewardSourceConfig model = new() { Model = Reward("reward").Folder, Transform = "sigmoid" };
        using (ScoringStage first = new([model], "", 1)) StopAfterOneWindow(first, Job(input));
        DateTime time = File.GetLastWriteTimeUtc(file);
        string text = File.ReadAllText(file), other = ofTheModel ? text.Replace("\"temperature\": 1", "\"temperature\": 2", StringComparison.Ordinal) : text.Replace("word1", "word2", StringComparison.Ordinal);
        Assert.That(other, Is.Not.EqualTo(text).And.Length.EqualTo(text.Length));
        File.WriteAllText(file, other);
        File.SetLastWriteTimeUtc(file, time);
        using ScoringStage second = new([model], "", 1);
        second.Run(Job(input));
        second.Run(Job(input, "whole.parquet"));
        Assert.That(File.ReadAllBytes(At("out.parquet")), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
    }

    [TestCase("*/part.jsonl")]
    [TestCase("**/part.jsonl")]
    [TestCase("[ab]/part.jsonl")]
    [TestCase("a/par?.jsonl")]
    public void APatternOfAnyKindIsGoneOnWith(string pattern)
    {
        foreach (string part in (string[])["a", "b"])
        {
            Directory.CreateDirectory(At(part));
            Text(Path.Combine(part, "part.jsonl"), Lines(20));
        }

        int rows = pattern.StartsWith('a') ? 20 : 40;
        using Counting counting = new();
        using ScoringStage stage = Stage(counting);
        StopAfterOneWindow(stage, Job(At(pattern)));
        Assert.That(counting.Rows, Is.EqualTo(8));
        stage.Run(Job(At(pattern)));
        Assert.That(counting.Rows, Is.EqualTo(rows), "no row is computed again");
        // Another file behind the pattern is another input.
        StopAfterOneWindow(stage, Job(At(pattern), "other.parquet"));
        Text("a/part.jsonl", Lines(20, first: 50));
        counting.Rows = 0;
        stage.Run(Job(At(pattern), "other.parquet"));
        Assert.That(counting.Rows, Is.EqualTo(rows));
    }

    [TestCase("reward.dll", true)]
    [TestCase("needed.dll", true)]
    [TestCase("notes.txt", false)]
    public void ARebuiltAssemblyIsAnotherReward(string changed, bool startsAnew)
    {
        string input = Text("in.jsonl", Lines(40));
        foreach (string file in (string[])["reward.dll", "needed.dll", "notes.txt"]) Text(file, "one");
        using Counting counting = new();
        using (ScoringStage first = Stage(counting, At("reward.dll"))) StopAfterOneWindow(first, Job(input));
        int before = counting.Rows;
        Text(changed, "another");
        using ScoringStage second = Stage(counting, At("reward.dll"));
        second.Run(Job(input));
        Assert.That(counting.Rows - before, Is.EqualTo(startsAnew ? 40 : 32));
    }

    [TestCase(int.MaxValue, true)] // so long that adding to it would wrap
    [TestCase(int.MaxValue - 20, true)]
    [TestCase(-5, true)]
    [TestCase(40, false)] // a head whose checksum is wrong
    public void ABrokenLengthIsTheEndOfTheWork(int length, bool isChecked)
    {
        RowResult[] window = [new([new RewardValue(0.5)], [1, 2]), new([new RewardValue(null)], null)];
        string output = At("out.parquet");
        using (ScoringWork work = ScoringWork.Open(output, "same", 1)) work.Append(window);
        byte[] head = new byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(head, 1);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(4), length);
        if (isChecked) SHA256.HashData(head.AsSpan(0, 8))[..4].CopyTo(head, 8);
        using (FileStream torn = new(output + ".scores.partial", FileMode.Append))
        {
            torn.Write(head);
            torn.Write(new byte[100]);
        }

        using (ScoringWork work = ScoringWork.Open(output, "same", 1))
        {
            Assert.That(work.Rows, Is.EqualTo(2));
            work.Append(window);
            RowResult[] rows = [.. work.Read()];
            Assert.That(rows.Select(r => r.Rewards[0].Total), Is.EqualTo(new double?[] { 0.5, null, 0.5, null }));
            Assert.That(rows[2].Reference, Is.EqualTo(new float[] { 1, 2 }));
        }

        using ScoringWork other = ScoringWork.Open(output, "other", 1);
        Assert.That(other.Rows, Is.Zero);
    }

    /// <summary>Counts the rows that it is asked for.</summary>
    private sealed class Counting : IRewardFunction
    {
        public int Rows { get; set; }

        public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
        {
            Rows += rows.Count;
            return [.. rows.Select(r => new RewardValue(r.Response.Length))];
        }

        public void Dispose()
        {
        }
    }
}

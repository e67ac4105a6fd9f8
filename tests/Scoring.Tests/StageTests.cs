using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Whole files through the stage.</summary>
public sealed class StageTests : Fixture
{
    private string Rows(int count) => Text("in.jsonl", [.. Enumerable.Range(0, count).Select(i =>
        $"{{\"id\":{i},\"prompt\":\"p{i} \",\"response\":\"{Words((uint)i)}\",\"answer\":{(i % 3 == 0 ? "null" : "\"#### 5\"")}}}")]);

    private ScoringJob Job(string input, string output) => new() { Input = input, Output = At(output), WindowRows = 8, BatchTokens = 256 };

    private static (double? Score, IReadOnlyDictionary<string, double> Rewards)[] Read(string path)
    {
        using DataReader reader = DataReader.Open(path);
        var rows = new List<(double?, IReadOnlyDictionary<string, double>)>();
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++) rows.Add((batch.GetNullableDouble(reader.Require("score"), r), batch.GetDoubleMap(reader.Require("rewards"), r)!));
        }

        return [.. rows];
    }

    [Test]
    public void ScoresAreWeightedSumsAndARowWithoutARewardHasNone()
    {
        RewardSourceConfig[] rewards = [new() { Rule = "length:target=4,width=8", Weight = 2 }, new() { Rule = "numeric-answer:otherwise=-1", Name = "answer", Weight = 0.5 }];
        using ScoringStage stage = new(rewards, "", 1);
        ScoringSummary summary = stage.Run(Job(Rows(20), "out.parquet"));
        var rows = Read(At("out.parquet"));
        Assert.That((summary.Rows, summary.Excluded), Is.EqualTo((20L, 7L)));
        for (int i = 0; i < rows.Length; i++)
        {
            if (i % 3 == 0) Assert.That(rows[i].Score, Is.Null);
            else Assert.That(rows[i].Score, Is.EqualTo((2 * rows[i].Rewards["length"]) + (0.5 * rows[i].Rewards["answer"])));
        }
    }

    [Test]
    public void AStoppedRunGoesOnAndGivesTheSameBytes([Values(1, 3, 5)] int stopAfter)
    {
        string input = Rows(45);
        RewardSourceConfig[] rewards = [new() { Model = Reward("reward").Folder }, new() { Rule = "variety" }];
        string policy = Policy("policy").Folder;
        using ScoringStage stage = new(rewards, policy, 1);
        stage.Run(Job(input, "whole.parquet"));
        using CancellationTokenSource stop = new();
        int windows = 0;
        Assert.Throws<InterruptedException>(() => stage.Run(Job(input, "resumed.parquet"), _ =>
        {
            if (++windows == stopAfter) stop.Cancel();
        }, stop.Token));
        Assert.That(File.Exists(At("resumed.parquet")), Is.False);
        // What a crash leaves at the end of the work file is dropped.
        using (FileStream torn = new(At("resumed.parquet.scores.partial"), FileMode.Append)) torn.Write([8, 0, 0, 0, 200, 1, 0, 0, 7, 7]);
        List<ScoringProgress> told = [];
        long tokens = stage.TokensScored;
        stage.Run(Job(input, "resumed.parquet"), told.Add);
        Assert.That(told.Where(p => !p.IsWriting).Select(p => p.Rows), Is.EqualTo(new[] { 8, 16, 24, 32, 40, 45 }));
        Assert.That(told, Has.All.Matches<ScoringProgress>(p => p.Before == (p.IsWriting ? 0 : 8 * stopAfter)));
        Assert.That(told[^1], Is.EqualTo(new ScoringProgress(45, 0, IsWriting: true)));
        Assert.That(stage.TokensScored - tokens, Is.GreaterThan(0).And.LessThan(tokens), "finished windows are not computed again");
        Assert.That(File.ReadAllBytes(At("resumed.parquet")), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
        Assert.That(Directory.GetFiles(Folder, "*.partial"), Is.Empty);
    }

    /// <summary>Writing can be stopped too: everything is computed by then, and only the writing is done again.</summary>
    [Test]
    public void ARunStoppedWhileItWritesGoesOnAndGivesTheSameBytes()
    {
        string input = Rows(20);
        using ScoringStage stage = new([new RewardSourceConfig { Model = Reward("reward").Folder }], "", 1);
        stage.Run(Job(input, "whole.parquet"));
        using CancellationTokenSource stop = new();
        Assert.Throws<InterruptedException>(() => stage.Run(Job(input, "resumed.parquet"), p =>
        {
            if (p.IsWriting) stop.Cancel();
        }, stop.Token));
        Assert.That(Directory.GetFiles(Folder, "resumed*").Select(Path.GetFileName), Is.EqualTo(new[] { "resumed.parquet.scores.partial" }));
        long tokens = stage.TokensScored;
        stage.Run(Job(input, "resumed.parquet"));
        Assert.That(stage.TokensScored, Is.EqualTo(tokens), "nothing is computed again");
        Assert.That(File.ReadAllBytes(At("resumed.parquet")), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
    }

    [Test]
    public void AnotherJobDoesNotTakeOverTheWork()
    {
        string input = Rows(20);
        using CancellationTokenSource stop = new();
        using (ScoringStage first = new([new RewardSourceConfig { Rule = "variety" }], "", 1))
            Assert.Throws<InterruptedException>(() => first.Run(Job(input, "out.parquet"), _ => stop.Cancel(), stop.Token));
        using ScoringStage second = new([new RewardSourceConfig { Rule = "repetition" }], "", 1);
        second.Run(Job(input, "out.parquet"));
        Assert.That(Read(At("out.parquet")).All(r => r.Rewards.ContainsKey("repetition")));
    }

    [Test]
    public void BrokenWeightsEndInANumericalErrorAndLeaveNothing()
    {
        // The exporter refuses NaN, so they are put into the exported file.
        string reward = Reward("reward").Folder;
        string data = Path.Combine(reward, "model.onnx.data");
        byte[] bytes = File.ReadAllBytes(data);
        bytes.AsSpan().Fill(0xFF);
        File.WriteAllBytes(data, bytes);
        using ScoringStage stage = new([new RewardSourceConfig { Model = reward }], "", 1);
        Assert.That(Assert.Throws<NumericalException>(() => stage.Run(Job(Rows(4), "out.parquet")))!.Message, Does.Contain("gave NaN"));
        Assert.That(Directory.GetFiles(Folder, "out*"), Is.Empty);
    }

    [Test]
    public void EqualNamesAndNothingToDoAreRefused()
    {
        RewardSourceConfig rule = new() { Rule = "variety" };
        Assert.That(Assert.Throws<ConfigurationException>(() => _ = new ScoringStage([rule, rule], "", 1))!.Message, Does.StartWith("The reward name 'variety' is used twice"));
        Assert.That(Assert.Throws<ConfigurationException>(() => _ = new ScoringStage([], "", 1))!.Message, Does.StartWith("Nothing to score with"));
    }

    [Test]
    public void EnsemblesTakeTheLowestModel()
    {
        string a = Reward("a", 7).Folder, b = Reward("b", 8).Folder;
        using ScoringStage stage = new([new RewardSourceConfig { Model = a }, new() { Model = b }, new() { Name = "min", Model = $"min({a}, {b})", Weight = 0 }], "", 1);
        stage.Run(Job(Rows(10), "out.parquet"));
        foreach (var row in Read(At("out.parquet"))) Assert.That(row.Rewards["min"], Is.EqualTo(Math.Min(row.Rewards["a"], row.Rewards["b"])));
    }
}

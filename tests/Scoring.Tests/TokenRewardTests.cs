using System.Text;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Export.Tests;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Rewards of single tokens and of steps, from model to column.</summary>
public sealed class TokenRewardTests : Fixture
{
    // float32 against float64 over two layers.
    private const double Tolerance = 1e-4;

    private const int Eos = 1;

    private static double[] Naive(TinyModel model, int[] tokens)
    {
        float[] w = model.Parameters["score.weight"];
        return [.. NaiveLlama.Hidden(model, [.. tokens.Select(t => (long)t)]).Select(h => h.Select((x, i) => x * w[i]).Sum())];
    }

    private RuleInput Rollout(string prompt, string response, params int[] after) =>
        new(prompt, response, response.Length + after.Length, null) { Tokens = ([0, .. Bytes(prompt)], [.. Bytes(response), .. after]) };

    private static RewardSource Open(RewardSourceConfig config) => RewardSource.Open([config], 1)[0];

    [Test]
    public void ATokensRewardIsTheScoreOfTheTextThatEndsThere([Values(ScorePooling.Last, ScorePooling.Mean)] ScorePooling pooling)
    {
        (string folder, TinyModel tiny) = Reward("reward", pooling: pooling);
        using RewardSource source = Open(new() { Model = folder, Per = RewardPer.Token });
        RuleInput[] rows = [Rollout("12+3 ", "=15", Eos), Rollout("12+3 ", "=14"), Rollout("a", ""), Rollout("", "b", Eos)];
        RewardValue[] found = source.Score(rows, 512, default);
        for (int i = 0; i < rows.Length; i++)
        {
            (int[] prompt, int[] response) = rows[i].Tokens!.Value;
            int[] text = [.. response.Where(t => t != Eos)];
            double[] all = Naive(tiny, [.. prompt, .. text]);
            Assert.That(found[i].PerToken, Has.Length.EqualTo(response.Length));
            for (int t = 0; t < response.Length; t++)
                Assert.That(found[i].PerToken![t], Is.EqualTo(t < text.Length ? all[prompt.Length + t] : 0).Within(Tolerance), $"row {i}, token {t}");
            Assert.That(found[i].Total, Is.EqualTo(found[i].PerToken!.Sum(v => (double)v)));
        }
    }

    [Test]
    public void AStepsRewardStandsAtItsLastToken()
    {
        (string folder, TinyModel tiny) = Reward("reward");
        using RewardSource source = Open(new() { Model = folder, Per = RewardPer.Step, Transform = "sigmoid" });
        // Steps end behind "one\n\n" (5 tokens), "two\n" (9) and "end" (12); EOS has no reward.
        RuleInput row = Rollout("? ", "one\n\ntwo\nend", Eos);
        float[] rewards = source.Score([row], 512, default)[0].PerToken!;
        Assert.That(Enumerable.Range(0, rewards.Length).Where(t => rewards[t] != 0), Is.EqualTo(new[] { 4, 8, 11 }));
        (int[] prompt, int[] response) = row.Tokens!.Value;
        double[] all = Naive(tiny, [.. prompt, .. response[..^1]]);
        foreach (int t in new[] { 4, 8, 11 }) Assert.That(rewards[t], Is.EqualTo(1 / (1 + Math.Exp(-all[prompt.Length + t]))).Within(Tolerance));
    }

    [Test]
    public void ATableWithoutTokenIdsGivesOneRewardAStep()
    {
        (string folder, TinyModel tiny) = Reward("reward");
        string input = Text("in.jsonl", """{"prompt":"? ","response":"one. two. three"}""", """{"prompt":"? ","response":"alone"}""");
        using ScoringStage stage = new([new() { Name = "steps", Model = folder, Per = RewardPer.Step, StepDelimiter = ". ", Weight = 2 }], "", 1);
        stage.Run(new ScoringJob { Input = input, Output = At("out.parquet") });
        using DataReader reader = DataReader.Open(At("out.parquet"));
        float[][] found = [.. reader.Batches().SelectMany(b => Enumerable.Range(0, b.Count).Select(r => b.GetFloatList(reader.Require("token_rewards"), r)!).ToArray())];
        float[] steps = found[0];
        double[] all = Naive(tiny, [0, .. Bytes("? one. two. three")]);
        // BOS and the prompt are tokens 0 to 2; "one. " ends at 7, "two. " at 12, "three" at 17.
        Assert.That(steps, Has.Length.EqualTo(3));
        foreach ((int step, int token) in new[] { (0, 7), (1, 12), (2, 17) }) Assert.That(steps[step], Is.EqualTo(2 * all[token]).Within(2 * Tolerance));
        Assert.That(found[1], Has.Length.EqualTo(1));
        double?[] scores = [.. reader.Batches().SelectMany(b => Enumerable.Range(0, b.Count).Select(r => b.GetNullableDouble(reader.Require("score"), r)).ToArray())];
        Assert.That(scores, Is.All.EqualTo(0.0), "what stands in token_rewards does not count twice");
    }

    [Test]
    public void WhatIsCutOffHasNoReward()
    {
        // 96 positions: of 120 tokens the first and the last 95 are read, so the first 25 behind BOS are lost.
        using RewardSource source = Open(new() { Model = Reward("reward").Folder, Per = RewardPer.Token });
        float[] rewards = source.Score([Rollout("", new string('x', 119))], 512, default)[0].PerToken!;
        Assert.That(rewards.Take(24), Is.All.Zero);
        Assert.That(rewards.Skip(24).Count(r => r != 0), Is.EqualTo(95));
    }

    [TestCase("a\n\nb\n", "\n", 3, 5)]
    [TestCase("\n\na\nb", "\n", 4, 5)]
    [TestCase("abc", "\n", 3)]
    [TestCase("\n\n", "\n")]
    [TestCase("", "\n")]
    [TestCase("a. b. . c", ". ", 3, 8, 9)]
    public void StepsEndBehindRunsOfDelimiters(string text, string delimiter, params int[] expected) =>
        Assert.That(DenseTexts.Ends(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(delimiter)), Is.EqualTo(expected));

    [Test]
    public void OtherTokenizersRulesAndEmptyDelimitersAreRefused()
    {
        string folder = Reward("reward").Folder;
        using (RewardSource source = Open(new() { Model = folder, Per = RewardPer.Token }))
        {
            Assert.That(
                Assert.Throws<BadDataException>(() => source.Score([new RuleInput("p", "yes", 2, null) { Tokens = ([0], [70, 71]) }], 512, default))!.Message,
                Does.Contain("Rewards of single tokens need a reward model with the policy's tokenizer"));
        }

        Assert.That(Assert.Throws<ConfigurationException>(() => Open(new() { Rule = "variety", Per = RewardPer.Step }))!.Message, Does.Contain("rules judge whole responses"));
        Assert.That(Assert.Throws<ConfigurationException>(() => Open(new() { Model = folder, Per = RewardPer.Step, StepDelimiter = "" }))!.Message, Does.Contain("step_delimiter"));
    }
}

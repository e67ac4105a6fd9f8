using System.Text.Json.Nodes;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export.Tests;

namespace Rlhf.Scoring.Tests;

/// <summary>Models on ONNX Runtime against plain loops in float64.</summary>
public sealed class ModelTests : Fixture
{
    // float32 against float64 over two layers.
    private const double Tolerance = 1e-4;

    [Test]
    public void BatchedScoresAreThoseOfEachTextAloneAndOfTheLoops()
    {
        (string folder, TinyModel tiny) = Reward("reward");
        using RewardModel model = new(folder, threads: 1);
        int[][] tokens = [.. Enumerable.Range(0, 24).Select(i => model.Encode(Words((uint)i)))];
        double[] batched = new double[tokens.Length], alone = new double[tokens.Length];
        foreach (int[] batch in TokenBudget.Cut([.. tokens.Select(t => t.Length)], 512)) model.Score(tokens, batch, batched);
        float[] w = tiny.Parameters["score.weight"];
        for (int i = 0; i < tokens.Length; i++)
        {
            model.Score(tokens, [i], alone);
            double expected = NaiveLlama.Hidden(tiny, [.. tokens[i].Select(t => (long)t)])[^1].Select((x, k) => x * w[k]).Sum();
            Assert.That(batched[i], Is.EqualTo(alone[i]).Within(Tolerance));
            Assert.That(batched[i], Is.EqualTo(expected).Within(Tolerance));
        }
    }

    /// <summary>What a discriminator D = σ(d) pays: log D(y) (the reward of the discriminator objective).</summary>
    [Test]
    public void LogSigmoidIsTheLogOfTheProbability([Values(1f, 1e4f)] float gain)
    {
        // The larger gain puts d far out on both sides, where 1 / (1 + e^−d) is 0 or 1.
        string folder = Reward("reward", change: m =>
        {
            float[] w = m.Parameters["score.weight"];
            for (int i = 0; i < w.Length; i++) w[i] *= gain;
        }).Folder;
        RuleInput[] rows = [.. Enumerable.Range(0, 24).Select(i => new RuleInput("p ", Words((uint)i), null, null))];
        using RewardSource plain = RewardSource.OpenOne(new() { Model = folder }, 1), log = RewardSource.OpenOne(new() { Model = folder, Transform = "log_sigmoid" }, 1);
        double[] d = [.. plain.Score(rows, 512, default).Select(v => v.Total!.Value)], found = [.. log.Score(rows, 512, default).Select(v => v.Total!.Value)];
        Assert.That(d.Min() < 0 && d.Max() > 0);
        for (int i = 0; i < d.Length; i++)
        {
            double probability = 1 / (1 + Math.Exp(-d[i]));
            Assert.That(found[i], Is.EqualTo(probability > 0 ? Math.Log(probability) : d[i]).Within(1e-9));
        }
    }

    [Test]
    public void LongTextsKeepTheBeginningTokenAndTheirEnd()
    {
        using RewardModel model = new(Reward("reward").Folder, threads: 1, maxLength: 8);
        int[] whole = model.Encode("abcdef"), cut = model.Encode("0123456789");
        Assert.That(whole, Has.Length.EqualTo(7));
        Assert.That(cut, Is.EqualTo(model.Encode("3456789")));
    }

    /// <summary>A model reads as much as in its training unless another length is asked for, at most its positions.</summary>
    [TestCase(0, 8)]
    [TestCase(20, 20)]
    [TestCase(200, 96)]
    public void LongTextsAreCutAsInTraining(int asked, int expected)
    {
        using RewardModel model = new(Reward("reward", trained: 8).Folder, threads: 1, maxLength: asked);
        Assert.That(model.Encode(new string('a', 300)), Has.Length.EqualTo(expected));
    }

    [Test]
    public void AZeroInATextIsReadAsTheReplacementCharacter()
    {
        using RewardModel model = new(Reward("reward").Folder, threads: 1);
        Assert.That(model.Encode("a\0b"), Is.EqualTo(model.Encode("a\uFFFDb")));
    }

    [Test]
    public void LogProbsAreThoseOfTheLoops()
    {
        (string folder, TinyModel tiny) = Policy("policy");
        using LogProbScorer scorer = new(folder, threads: 1);
        (int[], int[])[] rows = [([0, 70, 71], [72, 73, 1]), ([0], [100]), ([0, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15])];
        float[][] found = new float[3][];
        scorer.Score(rows, [0, 1, 2], 0.7, found);
        for (int r = 0; r < rows.Length; r++)
        {
            (int[] prompt, int[] response) = rows[r];
            double[][] logits = NaiveLlama.Logits(tiny, [.. prompt.Concat(response).Select(t => (long)t)]);
            for (int t = 0; t < response.Length; t++)
            {
                double expected = NaiveLlama.LogSoftmax(logits[prompt.Length + t - 1], 0.7)[response[t]];
                Assert.That(found[r][t], Is.EqualTo(expected).Within(Tolerance));
            }
        }
    }

    /// <summary>A negative temperature would turn the order of rewards around, 0 would leave only 0 and 1 of them.</summary>
    [TestCase("temperature", "-1", "temperature is -1; it must be a finite number above 0")]
    [TestCase("temperature", "0", "temperature is 0; it must be")]
    [TestCase("temperature", "1e999", "it must be a finite number above 0")]
    [TestCase("vocab_size", "0", "vocab_size is 0; it must be positive")]
    public void NumbersOfTheConfigurationAreChecked(string key, string value, string expected)
    {
        string folder = Reward("reward").Folder, file = Path.Combine(folder, "rlhf_config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(file))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(file, config.ToJsonString());
        Assert.That(Assert.Throws<BadModelException>(() => _ = new RewardModel(folder))!.Message, Does.StartWith($"{file}: not a reward model's configuration (").And.Contain(expected));
    }

    [Test]
    public void BrokenWeightsAndForeignFoldersAreNamed()
    {
        string policy = Policy("policy").Folder;
        Assert.That(Assert.Throws<BadModelException>(() => _ = new RewardModel(policy))!.Message, Does.Contain("a policy folder is none"));
        Assert.That(Assert.Throws<BadModelException>(() => _ = new RewardModel(At("absent")))!.Message, Is.EqualTo($"{At("absent")}: there is no such model folder."));
        File.WriteAllText(Path.Combine(Reward("reward").Folder, "reward_cached.onnx"), "no model");
        Assert.That(Assert.Throws<BadModelException>(() => _ = new RewardModel(At("reward")))!.Message, Does.Contain("reward_cached.onnx: not an ONNX file"));
    }
}

using System.Text.Json;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Tokenization;
using Rlhf.Trajectories;
using TorchSharp;

namespace Rlhf.Pipeline.Tests;

/// <summary><c>rlhf eval reward</c> and <c>rlhf eval winrate</c>: numbers worked by hand, then the built program.</summary>
public sealed class EvaluationTests
{
    private static RewardEvaluation Of(RewardObjective objective, double[][] scores, int[][] lengths, double[]? labels = null) => RewardEvaluation.Of(
        new RewardModelConfig { Objective = objective },
        [.. scores.Select((s, i) => new RewardExample([.. s.Select((_, t) => new int[lengths[i][t]])], labels?[i] ?? 0, i))], scores, lengths);

    // Three prompts with scores (1, 3), (2, 2), (6) and one row without: mean 14/5, sums of deviations −1.6, −1.6, 3.2; variance 3/2 · 15.36 / 25.
    [Test]
    public void ResponsesToOnePromptAreNotIndependent()
    {
        static ScoredRollout Row(string prompt, double? score) => new(
            new Rollout
            {
                Iteration = 1, PromptId = prompt, SampleId = 0, Prompt = "a", Response = "b", PromptTokens = [5], ResponseTokens = [6, 7], FinishReason = FinishReason.Length,
                RolloutLogprobs = [-1, -1], PolicyLogprobs = [-1, -1], PolicyHash = "", Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
            },
            new RowScores { Score = score, ReferenceLogprobs = [-1, -1] });
        Evaluation e = Evaluation.Of([Row("x", 1), Row("x", 3), Row("y", 2), Row("y", 2), Row("z", 6), Row("z", null)]);
        Assert.That(e.Score, Is.EqualTo(2.8).Within(1e-12));
        Assert.That(e.ScoreError, Is.EqualTo(Math.Sqrt(1.5 * 15.36) / 5).Within(1e-12));
        Assert.That(Evaluation.Of([Row("x", 1), Row("y", 2), Row("z", 6)]).ScoreError, Is.EqualTo(Math.Sqrt(14.0 / 2 / 3)).Within(1e-12), "s/√n where each prompt has one response");
    }

    // Won, lost, tied, won; the better text is longer in the first and the last, shorter in the second, equal in the third.
    [Test]
    public void PairsByHand()
    {
        RewardEvaluation r = Of(RewardObjective.Pairwise, [[2, 1], [0, 3], [1, 1], [5, 1]], [[9, 4], [2, 8], [3, 3], [7, 1]]);
        Assert.Multiple(() =>
        {
            Assert.That(r.Accuracy!.Value, Is.EqualTo(2.5 / 4));
            Assert.That(r.Length.LongerIsPreferred!.Value, Is.EqualTo(2.0 / 3).Within(1e-12));
            Assert.That(r.Length.LongerScoresHigher!.Value, Is.EqualTo(1), "the longer text won all three");
            Assert.That(r.Length.Parts.Select(p => p.Accuracy.Value), Is.EqualTo(new[] { 1.0, 0 }));
            Assert.That(r.ByMargin.Sum(p => p.Accuracy.Count), Is.EqualTo(4));
        });
    }

    // Scores 3, 1, 2 of answers ranked best first: right, right, wrong of three orders; the best is first. Then 1, 2: wrong, not first.
    [Test]
    public void RankingsByHand()
    {
        RewardEvaluation r = Of(RewardObjective.KWise, [[3, 1, 2], [1, 2]], [[1, 2, 3], [1, 2]]);
        Assert.Multiple(() =>
        {
            Assert.That(r.Accuracy!.Value, Is.EqualTo(0.5));
            Assert.That(r.Accuracy.Count, Is.EqualTo(4));
            Assert.That(r.BestFirst!.Value, Is.EqualTo(0.5));
        });
    }

    // Steps 1, −1 (labels 1, 1) and −2 (0): two of three right, and both positives are above the negative.
    [Test]
    public void StepsByHand()
    {
        RewardEvaluation r = RewardEvaluation.Of(
            new RewardModelConfig { Objective = RewardObjective.Process },
            [new RewardExample([[1, 2, 3, 4]], 0, 0) { StepLabels = [1, 1], StepEnds = [1, 3] }, new RewardExample([[1, 2]], 0, 1) { StepLabels = [0], StepEnds = [1] }], [[1, -1], [-2]], [[2, 2], [2]]);
        Assert.Multiple(() =>
        {
            Assert.That(r.Accuracy!.Value, Is.EqualTo(2.0 / 3).Within(1e-12));
            Assert.That(r.Accuracy.Count, Is.EqualTo(3));
            Assert.That(r.MoreFrequent, Is.EqualTo(2.0 / 3).Within(1e-12));
            Assert.That(r.RocArea!.Value, Is.EqualTo(1));
        });
    }

    /// <summary>Logits three times too large: the temperature is 3, and dividing by it mends the calibration.</summary>
    [Test]
    public void OverconfidenceIsFound()
    {
        var scores = new List<double[]>();
        var labels = new List<double>();
        for (uint i = 0; i < 4000; i++)
        {
            double logit = 4 * (AddressedRandom.Uniform(1, AddressedRandom.Stream.Probe, i) - 0.5);
            labels.Add(AddressedRandom.Uniform(2, AddressedRandom.Stream.Probe, i) < 1 / (1 + Math.Exp(-logit)) ? 1 : 0);
            scores.Add([3 * logit]);
        }

        RewardEvaluation r = Of(RewardObjective.Binary, [.. scores], [.. scores.Select((_, i) => new[] { 1 + (i % 50) })], [.. labels]);
        Assert.Multiple(() =>
        {
            Assert.That(r.Calibration!.Temperature, Is.EqualTo(3).Within(0.4));
            Assert.That(r.Calibration.ExpectedError, Is.GreaterThan(0.1));
            Assert.That(r.Calibration.ExpectedErrorCalibrated, Is.LessThan(0.05));
            Assert.That(r.Accuracy!.Low, Is.LessThan(r.Accuracy.Value));
            Assert.That(r.Length.ScoreLengthSpearman, Is.EqualTo(0).Within(0.06));
        });
    }

    [Test]
    public void ScoresByHand()
    {
        // Errors ½² + ½² = ½ of 2.
        RewardEvaluation r = Of(RewardObjective.Regression, [[1.5], [2.5]], [[1], [2]], [1, 3]);
        Assert.That(r.RSquared!.Value, Is.EqualTo(0.75));
        Assert.That(r.Spearman!.Value, Is.EqualTo(1));
    }

    [Test]
    public void WinsAreCountedByPairAndTiesHalf()
    {
        static ScoredRollout Row(string prompt, double? score, int tokens) =>
            new(
                new Rollout
                {
                    Iteration = 0, PromptId = prompt, SampleId = 0, Prompt = prompt, Response = "", PromptTokens = [1], ResponseTokens = new int[tokens], FinishReason = FinishReason.Length,
                    RolloutLogprobs = new float[tokens], PolicyLogprobs = new float[tokens], PolicyHash = "", Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
                },
                new RowScores { Score = score });
        WinRate r = WinRate.Of(
            [Row("a", 2, 4), Row("a", 1, 4), Row("b", 0, 4), Row("c", null, 4)],
            [Row("a", 1, 2), Row("a", 1, 2), Row("b", 3, 2), Row("c", 5, 2)], 1);
        Assert.Multiple(() =>
        {
            Assert.That((r.Prompts, r.Samples, r.Excluded), Is.EqualTo((2, 3, 1)));
            Assert.That(r.Win.Value, Is.EqualTo(0.5));
            Assert.That(r.Ties, Is.EqualTo(1.0 / 3));
            Assert.That(r.Difference.Value, Is.EqualTo((1 + 0 - 3) / 3.0));
            Assert.That((r.PolicyLength, r.BaselineLength), Is.EqualTo((4.0, 2.0)));
        });
    }

    [TestCase(2, "samples_per_prompt is 0; it must be between 1 and 100000", "--rule", "length", "--samples-per-prompt", "0")]
    [TestCase(2, "--response-only is for reward models", "--rule", "length", "--response-only")]
    [TestCase(2, "--threads is -1", "--rule", "length", "--threads", "-1")]
    [TestCase(3, "no pair of responses has a score on both sides", "--rule", "numeric-answer", "--max-new-tokens", "2", "--threads", "1")]
    public void AWinRateThatTellsNothingIsRefused(int code, string expected, params string[] options)
    {
        Ended ended = Programs.Rlhf(["eval", "winrate", "--policy", TinyRun.Policy, "--baseline", TinyRun.Policy, "--prompts", TinyRun.Prompts, .. options]);
        Assert.That((ended.Code, ended.ToString()), Is.EqualTo((code, ended.ToString())));
        Assert.That(ended.ToString(), Does.Contain(expected));
    }

    /// <summary>Prompts may be an earlier comparison's responses, but not those that this one would replace.</summary>
    [Test]
    public void AWinRateDoesNotReplaceItsPrompts()
    {
        string folder = TinyRun.NewFolder("winrate"), prompts = Path.Combine(folder, "baseline.scored.parquet");
        File.WriteAllText(prompts, "mine");
        Ended ended = Programs.Rlhf("eval", "winrate", "--policy", TinyRun.Policy, "--baseline", TinyRun.Policy, "--prompts", prompts, "--rule", "length", "--out", folder);
        Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
        Assert.That(ended.ToString(), Does.Contain($"'{prompts}' is both input and output"));
        Assert.That(File.ReadAllText(prompts), Is.EqualTo("mine"));
    }

    /// <summary>Share of pairs whose chosen text torch scores higher, a tie half.</summary>
    private static double Accuracy(string reward, string pairs)
    {
        using Tokenizer tokenizer = Tokenizer.Open(reward);
        using LlamaModel model = LlamaModel.Load(reward, ModelHead.Scalar, trainable: false);
        using IDisposable noGrad = torch.no_grad();
        double Score(int[] tokens)
        {
            using DisposeScope scope = torch.NewDisposeScope();
            return model.Score(model.Hidden(torch.tensor(tokens.Select(t => (long)t).ToArray(), 1, tokens.Length)), torch.tensor(new long[] { tokens.Length })).item<float>();
        }

        return RewardData.All(new RewardModelConfig { Objective = RewardObjective.Pairwise }, [pairs], tokenizer, default).Average(e => 0.5 * (1 + Math.Sign(Score(e.Texts[0]) - Score(e.Texts[1]))));
    }

    [Test]
    public void TheProgramJudgesPoliciesAndRewardModels()
    {
        string folder = TinyRun.NewFolder("evaluation"), reward = Path.Combine(folder, "reward"), pairs = Path.Combine(folder, "pairs.jsonl");
        using (LlamaModel model = LlamaModel.Load(TinyRun.Policy, ModelHead.Scalar, configure: c => c with { RewardPooling = RewardPooling.Mean }, trainable: false)) model.Save(reward, tokenizerFrom: TinyRun.Policy);
        File.WriteAllLines(pairs, Enumerable.Range(0, 30).Select(i => $$"""{"chosen":"the good bread {{i}}","rejected":"the rain {{i}}"}"""));
        Ended ended = Programs.Rlhf("eval", "reward", "--model", reward, "--data", pairs, "--set", "objective=pairwise", "--set", "threads=1", "--json");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        JsonElement result = JsonDocument.Parse(ended.Output).RootElement;
        Assert.That(result.GetProperty("Examples").GetInt32(), Is.EqualTo(30));
        Assert.That(result.GetProperty("Accuracy").GetProperty("Value").GetDouble(), Is.EqualTo(Accuracy(reward, pairs)).Within(1e-12), "by torch, text by text");

        ended = Programs.Rlhf("eval", "scores", "--model", reward, "--data", pairs, "--column", "chosen", "--threads", "1");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Output, Does.Contain("30 texts"));

        // A policy against itself, drawn at the same addresses: every pair is a tie.
        ended = Programs.Rlhf("eval", "winrate", "--policy", TinyRun.Policy, "--baseline", TinyRun.Policy, "--prompts", TinyRun.Prompts, "--reward-model", reward, "--reward-model", $"again={reward}", "--max-new-tokens", "6", "--threads", "1", "--json");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        result = JsonDocument.Parse(ended.Output).RootElement;
        Assert.That(result.GetProperty("Samples").GetInt32(), Is.EqualTo(20));
        Assert.That(result.GetProperty("Ties").GetDouble(), Is.EqualTo(1));
        Assert.That(result.GetProperty("Win").GetProperty("Low").GetDouble(), Is.EqualTo(0.5));
        Assert.That(Programs.Rlhf("eval", "reward", "--model", Path.Combine(folder, "absent"), "--data", pairs, "--set", "objective=pairwise").Code, Is.EqualTo(4));
    }

    /// <summary>The shipped model on real reviews, some of the 1000 that `rlhf eval scores` compares by default.</summary>
    [Test]
    public void TheShippedRewardModelScoresReviewsAsTorchDoes()
    {
        string reviews = Checkout.Shared("data/imdb/train.jsonl.gz");
        Ended ended = Programs.Rlhf("eval", "scores", "--model", Path.Combine(Checkout.Root, "models", "reward-imdb"), "--data", reviews, "--rows", "40");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
    }
}

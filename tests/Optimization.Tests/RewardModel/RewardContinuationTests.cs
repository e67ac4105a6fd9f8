using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Optimization.Tests;

/// <summary>A reward model goes on learning: negatives fall, labels are kept, and nothing but the weights is carried from training to training.</summary>
[NonParallelizable]
public sealed class RewardContinuationTests : FolderTest
{
    private static readonly RewardContinuationOptions Options = new() { Steps = 30, LearningRate = 5e-3, BatchSize = 8, NegativeShare = 0.25 };

    [SetUp]
    public void Quiet() => Console.SetOut(TextWriter.Null);

    [TearDown]
    public void Loud() => Console.SetOut(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true });

    private string Start()
    {
        string folder = At("start");
        BpeModel tokenizer = new(BpeModel.StandardSpecialTokens, []);
        var shape = new LlamaConfig
        {
            VocabSize = tokenizer.VocabularySize, HiddenSize = 16, IntermediateSize = 24, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, HeadDim = 8, MaxPositionEmbeddings = 64,
            BosTokenId = 0, EosTokenIds = [1], PadTokenId = 2, Head = ModelHead.Scalar, RewardPooling = RewardPooling.Mean, ScoreBias = true,
        };
        using (LlamaModel model = LlamaModel.Create(shape, seed: 3)) model.Save(folder);
        BpeFolder.Write(tokenizer, folder);
        return folder;
    }

    // Good texts have g, bad ones b; what fools is x.
    private RewardModelConfig Config(RewardObjective objective)
    {
        string Row(int i) => objective switch
        {
            RewardObjective.Pairwise => $$"""{"chosen": "gg{{i}}", "rejected": "bb{{i}}"}""",
            RewardObjective.Discriminator => $$"""{"text": "gg{{i}}"}""",
            RewardObjective.Regression => $$"""{"text": "{{(i % 2 == 0 ? "bb" : "gg")}}{{i}}", "label": {{(i % 2 == 0 ? -1 : 1)}}}""",
            _ => $$"""{"text": "{{(i % 2 == 0 ? "bb" : "gg")}}{{i}}", "label": {{i % 2}}}""",
        };
        string Rows(int from) => string.Concat(Enumerable.Range(from, 32).Select(i => Row(i) + "\n"));
        return new() { Objective = objective, Data = [Text("data.jsonl", Rows(0))], HeldOutData = [Text("held.jsonl", Rows(100))], MaxLength = 32, Threads = 1, Optimizer = new OptimizerConfig { Epsilon = 1e-6 }, Dropout = 0.1, NegativePromptColumn = "" };
    }

    private string Fooling() => Text("negatives.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => $$"""{"response": "gxx{{i}}"}""" + "\n")));

    [TestCase(RewardObjective.Binary)]
    [TestCase(RewardObjective.Regression)]
    [TestCase(RewardObjective.Pairwise)]
    [TestCase(RewardObjective.Discriminator)]
    public void NegativesFallAndLabelsAreLearntBesides(RewardObjective objective)
    {
        using RewardContinuation model = RewardContinuation.Open(Config(objective), Options, Start(), default);
        List<RewardExample> negatives = model.Negatives(Fooling(), default);
        double[] before = model.Score(negatives);
        model.Train(negatives, [], 0, default);
        double better = model.HeldOut.Select(e => e with { Texts = [e.Texts[0]] }).Where(e => objective is RewardObjective.Pairwise or RewardObjective.Discriminator || e.Label > 0.5).Average(e => model.Score([e])[0]);
        double after = model.Score(negatives).Average();
        Assert.That(after, Is.LessThan(before.Average()).And.LessThan(better - 0.2), "below good texts");
        Assert.That(model.Quality().Headline, Is.GreaterThan(objective == RewardObjective.Regression ? 0.2 : 0.9));
    }

    /// <summary>The second training after a reload of the first one's float32 weights is the second training without one; its number tells what it sees.</summary>
    [Test]
    public void ATrainingIsAFunctionOfWeightsNegativesAndItsNumber()
    {
        RewardModelConfig config = Config(RewardObjective.Binary);
        string start = Start();
        float[] Weights(LlamaModel model) => [.. model.Parameters.Flat.detach().data<float>()];
        float[] through, number1;
        using (RewardContinuation model = RewardContinuation.Open(config, Options, start, default))
        {
            List<RewardExample> negatives = model.Negatives(Fooling(), default);
            model.Train(negatives, [], 0, default);
            model.Save(At("weights"), At("onnx"), start);
            model.Train(negatives, [], 1, default);
            through = Weights(model.Model);
            model.Reload(start);
            model.Train(negatives, [], 1, default);
            number1 = Weights(model.Model);
        }

        using RewardContinuation again = RewardContinuation.Open(config, Options, At("weights"), default);
        again.Train(again.Negatives(Fooling(), default), [], 1, default);
        Assert.That(Weights(again.Model), Is.EqualTo(through));
        again.Reload(start);
        again.Train(again.Negatives(Fooling(), default), [], 0, default);
        Assert.That(Weights(again.Model), Is.Not.EqualTo(number1), "another part of the labelled data");
        Assert.That(FolderSeal.Problems(At("weights")).Concat(FolderSeal.Problems(At("onnx"))), Is.Empty);
    }

    /// <summary>Texts that share x with what fools keep their rewards when they are anchors, and lose them when they are not.</summary>
    [Test]
    public void AnchorsKeepTheirRewards()
    {
        RewardModelConfig config = Config(RewardObjective.Binary);
        string start = Start(), ordinary = Text("ordinary.jsonl", string.Concat(Enumerable.Range(0, 8).Select(i => $$"""{"response": "gx{{i}}"}""" + "\n")));
        double[] first = [], with = [], without = [];
        using RewardContinuation model = RewardContinuation.Open(config, Options with { Steps = 60, AnchorShare = 0.5 }, start, default);
        List<RewardExample> negatives = model.Negatives(Fooling(), default), anchors = model.Anchors(ordinary, default);
        first = model.Score(anchors);
        Assert.That(anchors.Select(a => a.Label), Is.EqualTo(first.Select(s => 1 / (1 + Math.Exp(-s)))).Within(1e-12));
        model.Train(negatives, anchors, 0, default);
        with = model.Score(anchors);
        model.Reload(start);
        model.Train(negatives, [], 0, default);
        without = model.Score(anchors);
        double Moved(double[] scores) => scores.Zip(first, (a, b) => Math.Abs(a - b)).Average();
        Assert.That(Moved(with), Is.LessThan(Moved(without) / 2));
    }

    [Test]
    public void TheLabelOfNegativesCanSayThatNothingIsKnown()
    {
        RewardModelConfig config = Config(RewardObjective.Binary) with { NegativeLabel = 0.5 };
        using RewardContinuation model = RewardContinuation.Open(config, Options with { Steps = 60 }, Start(), default);
        List<RewardExample> negatives = model.Negatives(Fooling(), default);
        model.Train(negatives, [], 0, default);
        Assert.That(model.Score(negatives).Average(), Is.EqualTo(0).Within(1), "a logit of 0 is a probability of one half");
    }

    [Test]
    public void WhatCannotGoOnIsTold()
    {
        RewardModelConfig config = Config(RewardObjective.Binary);
        Assert.That(() => RewardContinuation.Check(config with { Objective = RewardObjective.Process }), Throws.TypeOf<ConfigurationException>().With.Message.Contains("belong to no comparison"));
        Assert.That(() => RewardContinuation.Check(config with { NormalizeOn = ["x"] }), Throws.TypeOf<ConfigurationException>().With.Message.Contains("normalize_on"));
        Assert.That(() => RewardContinuation.Check(config with { Data = [] }), Throws.TypeOf<ConfigurationException>().With.Message.Contains("data"));
        Assert.That(() => RewardContinuation.Open(config with { HeldOutData = [], HeldOutFraction = 0 }, Options, Start(), default), Throws.TypeOf<ConfigurationException>().With.Message.Contains("nothing is held out"));
        Assert.That(() => RewardContinuation.Open(config with { MaxLength = 65 }, Options, Start(), default), Throws.TypeOf<ConfigurationException>().With.Message.Contains("64 positions"));
    }
}

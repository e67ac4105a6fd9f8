using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization.Tests;

public sealed class SftTrainerTests
{
    /// <summary>Float32 sums in another order.</summary>
    private const double LossTolerance = 1e-6, WeightTolerance = 1e-5;

    private static readonly LlamaConfig Shape = Tiny.Config with { Head = ModelHead.LanguageModel };

    /// <summary>Adam's ε is large for the reason given in <see cref="PolicyFixture.Configuration"/>.</summary>
    private static SftConfig Config(int micro) => new()
    {
        MicroBatchSize = micro, BatchSize = 12, Threads = 1, Optimizer = new OptimizerConfig { LearningRate = 3e-3, Epsilon = 1e-3, WeightDecay = 0.1 },
    };

    [TestCase(1, false)]
    [TestCase(5, false)]
    [TestCase(12, true)]
    [TestCase(1, true)]
    public void NothingDependsOnMicroBatchesPaddingOrOrder(int micro, bool turned)
    {
        (double[] expected, double[] losses) = Train(12, false);
        (double[] weights, double[] others) = Train(micro, turned);
        Assert.Multiple(() =>
        {
            Assert.That(others, Is.EqualTo(losses).Within(LossTolerance));
            Assert.That(weights, Is.EqualTo(expected).Within(WeightTolerance));
        });

        static (double[], double[]) Train(int micro, bool turned)
        {
            using LlamaModel model = Tiny.Model(Shape);
            using var trainer = new SftTrainer(model, Config(micro));
            TrainingSequence[] batch = Tiny.Sequences(12);
            if (turned) Array.Reverse(batch);
            double[] losses = [.. Enumerable.Range(0, 3).Select(_ => trainer.Step(batch, 0).Loss)];
            return (Tiny.Doubles(model.Parameters.Flat), losses);
        }
    }

    /// <summary>The loss of a step is the mean over tokens that the evaluation finds before it.</summary>
    [Test]
    public void TheLossIsTheMeanOverTrainedTokens()
    {
        using LlamaModel model = Tiny.Model(Shape);
        using var trainer = new SftTrainer(model, Config(5));
        TrainingSequence[] batch = Tiny.Sequences(12);
        (double nats, long tokens) = trainer.Evaluate(batch);
        Assert.Multiple(() =>
        {
            Assert.That(tokens, Is.EqualTo(batch.Sum(s => s.ResponseLength)));
            Assert.That(trainer.Step(batch, 0).Loss, Is.EqualTo(nats / tokens).Within(LossTolerance));
        });
    }

    [Test]
    public void ATinyTextIsLearntByHeart()
    {
        using LlamaModel model = LlamaModel.Create(Shape, 1);
        using var trainer = new SftTrainer(model, new SftConfig { MicroBatchSize = 4, Threads = 1, Optimizer = new OptimizerConfig { LearningRate = 0.01 } });
        TrainingSequence[] text = [.. Tiny.Sequences(4).Select((s, i) => s with { Tokens = new[] { 3 + i }.Concat(s.Tokens.ToArray()[1..]).ToArray() })]; // told apart by their first token
        double first = trainer.Step(text, 0).Loss, last = first;
        for (int step = 0; step < 120; step++) last = trainer.Step(text, 0).Loss;
        Assert.Multiple(() =>
        {
            Assert.That(first, Is.EqualTo(Math.Log(Tiny.Vocabulary)).Within(0.1), "a new model knows nothing");
            Assert.That(last, Is.LessThan(0.1));
        });
    }

    [Test]
    public void NaNInAWeightNamesTheTensor()
    {
        using LlamaModel model = Tiny.Model(Shape);
        model.Parameters.Span("model.layers.0.self_attn.k_proj.weight")[7] = float.PositiveInfinity;
        using var trainer = new SftTrainer(model, Config(4));
        TrainingSequence[] rows = [.. Tiny.Sequences(4).Select((s, i) => s with { Row = 20 + i })];
        Assert.That(() => trainer.Step(rows, 0), Throws.TypeOf<NumericalException>()
            .With.Message.Contains("the weight model.layers.0.self_attn.k_proj.weight.").And.Message.Contains("at optimiser step 1, rows 20, 21, 22 and 23 of the training data"));
    }

    /// <summary>Weight decay touches matrices, and neither gains nor biases nor the value head's single row.</summary>
    [Test]
    public void OnlyMatricesDecay()
    {
        using LlamaModel model = Tiny.Model();
        using TorchSharp.torch.Tensor mask = ModelParts.DecayMask(model.Parameters);
        double[] flat = Tiny.Doubles(mask);
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            bool matrix = place.Name.Contains("_proj", StringComparison.Ordinal) || place.Name.Contains("embed", StringComparison.Ordinal);
            Assert.That(flat.AsSpan((int)place.Offset, (int)place.Count).ToArray(), Has.All.EqualTo(matrix ? 1 : 0), place.Name);
        }
    }
}

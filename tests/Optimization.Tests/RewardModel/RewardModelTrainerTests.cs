using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization.Tests;

public sealed class RewardModelTrainerTests
{
    private const int Good = 5, Bad = 6;

    private static RewardModelConfig Config(RewardObjective objective, int microBatchTokens = 256) => new()
    {
        Objective = objective, MicroBatchTokens = microBatchTokens, MaxLength = 32, Threads = 1, Optimizer = new OptimizerConfig { LearningRate = 5e-3, Epsilon = 1e-4 },
    };

    private static LlamaModel Scorer(ulong seed = 1) =>
        LlamaModel.Create(Tiny.Config with { Head = ModelHead.Scalar, RewardPooling = RewardPooling.Mean, ScoreBias = true }, seed);

    /// <summary>A text is as good as it has tokens 5, and as bad as it has tokens 6.</summary>
    private static RewardExample[] Examples(RewardObjective objective) =>
    [
        .. Enumerable.Range(0, 24).Select(i => objective switch
        {
            RewardObjective.Pairwise => new RewardExample([Text(i, Good, 2), Text(i + 50, Bad, 2)], 0, i),
            RewardObjective.KWise => new RewardExample([Text(i, Good, 2), Text(i + 50, Bad, 1), Text(i + 90, Bad, 2)], 0, i),
            RewardObjective.PlackettLuce => new RewardExample([Text(i, Good, 3), Text(i + 50, Good, 1), Text(i + 90, Bad, 1), Text(i + 130, Bad, 3)], 0, i),
            RewardObjective.Binary => new RewardExample([Text(i, i % 2 == 0 ? Bad : Good, 2)], i % 2, i),
            _ => new RewardExample([Text(i, i % 2 == 0 ? Bad : Good, 1 + (i % 3))], (i % 2 == 0 ? -0.25 : 0.25) * (1 + (i % 3)), i),
        }),
    ];

    private static int[] Text(int i, int token, int times)
    {
        int length = 6 + (i % 7);
        int[] text = [1, .. Enumerable.Range(0, length).Select(t => 10 + (int)(AddressedRandom.Uniform(2, AddressedRandom.Stream.Data, (uint)i, (uint)t) * 20))];
        for (int k = 0; k < times; k++) text[1 + ((i + (2 * k)) % length)] = token;
        return text;
    }

    [Test]
    public void SeparableToyDataIsLearnt([Values] RewardObjective objective)
    {
        RewardModelConfig config = Config(objective);
        RewardExample[] examples = Examples(objective);
        using LlamaModel model = Scorer();
        using var trainer = new RewardModelTrainer(model, config);
        double first = trainer.Step(examples, 0, 0).Loss, last = first;
        for (int step = 0; step < 80; step++) last = trainer.Step(examples, 0, 0).Loss;
        RewardQuality quality = RewardQuality.Of(config, examples, trainer.Evaluate(examples));
        Assert.Multiple(() =>
        {
            Assert.That(quality.Headline, objective is RewardObjective.Regression or RewardObjective.Huber ? Is.GreaterThan(0.8) : Is.EqualTo(1));
            Assert.That(last, Is.LessThan(first / 2));
        });
    }

    /// <summary>All texts of an example stay together, so each objective sees its whole comparison.</summary>
    [Test]
    public void NothingDependsOnTheMicroBatches([Values] RewardObjective objective)
    {
        (double loss, double[] weights) = Train(16);
        (double others, double[] cut) = Train(4096);
        Assert.Multiple(() =>
        {
            Assert.That(others, Is.EqualTo(loss).Within(1e-6));
            Assert.That(cut, Is.EqualTo(weights).Within(2e-5));
        });

        (double, double[]) Train(int tokens)
        {
            using LlamaModel model = Scorer(3);
            using var trainer = new RewardModelTrainer(model, Config(objective, tokens));
            (double loss, _) = trainer.Step(Examples(objective), 0, 0);
            return (loss, Tiny.Doubles(model.Parameters.Flat));
        }
    }

    [Test]
    public void NaNInAWeightNamesTheTensor()
    {
        using LlamaModel model = Scorer();
        model.Parameters.Span("score.weight")[3] = float.NaN;
        using var trainer = new RewardModelTrainer(model, Config(RewardObjective.Binary));
        Assert.That(() => trainer.Step(Examples(RewardObjective.Binary), 0, 0), Throws.TypeOf<NumericalException>().With.Message.Contains("the weight score.weight."));
    }
}

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
            RewardObjective.Process => new RewardExample([Text(i, i % 2 == 0 ? Bad : Good, 2)], 0, i) { StepLabels = [i % 2, i % 2], StepEnds = [4, 6 + (i % 7)] },
            RewardObjective.Binary or RewardObjective.Discriminator => new RewardExample([Text(i, i % 2 == 0 ? Bad : Good, 2)], i % 2, i),
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

    /// <summary>Early and late steps of one text are judged where they end: a step sees nothing behind it.</summary>
    [Test]
    public void StepsAreJudgedWhereTheyEnd()
    {
        using LlamaModel model = Scorer(5);
        RewardModelConfig config = Config(RewardObjective.Process);
        using var trainer = new RewardModelTrainer(model, config);
        int[] text = Text(3, Good, 2);
        double[] steps = trainer.Evaluate([new RewardExample([text], 0, 0) { StepLabels = [0, 1], StepEnds = [2, 5] }])[0];
        double[] cut = trainer.Evaluate([new RewardExample([text[..3]], 0, 0) { StepLabels = [0], StepEnds = [2] }])[0];
        Assert.That(steps, Has.Length.EqualTo(2));
        Assert.That(steps[0], Is.EqualTo(cut[0]).Within(1e-6));
    }

    /// <summary>The second pass adds w · ∂L/∂θ at the moved embeddings; the weights themselves come back bit for bit.</summary>
    [Test]
    public void AdversarialTrainingAddsTheGradientAtTheMovedEmbeddings()
    {
        const double epsilon = 0.5, weight = 0.25;
        RewardExample[] examples = Examples(RewardObjective.Pairwise);
        using LlamaModel plain = Scorer(3), moved = Scorer(3), both = Scorer(3);
        double[] clean = Gradient(plain, Config(RewardObjective.Pairwise));
        string embedding = "model.embed_tokens.weight";
        ParameterPlace place = moved.Parameters.Place(embedding);
        double norm = Math.Sqrt(clean.AsSpan((int)place.Offset, (int)place.Count).ToArray().Sum(g => g * g));
        Span<float> table = moved.Parameters.Span(embedding);
        for (int i = 0; i < table.Length; i++) table[i] += (float)(epsilon * clean[place.Offset + i] / norm);
        double[] adversarial = Gradient(moved, Config(RewardObjective.Pairwise));
        double[] sum = Gradient(both, Config(RewardObjective.Pairwise) with { AdversarialEpsilon = epsilon, AdversarialWeight = weight });
        Assert.That(sum, Is.EqualTo(clean.Zip(adversarial, (c, a) => c + (weight * a))).Within(1e-5));

        // With η = 0 nothing may move; the first moment (1 − β₁) g tells the gradient.
        double[] Gradient(LlamaModel model, RewardModelConfig config)
        {
            double[] before = Tiny.Doubles(model.Parameters.Flat);
            using var trainer = new RewardModelTrainer(model, config with { Optimizer = new OptimizerConfig { LearningRate = 0, MaxGradientNorm = 0, Beta1 = 0.5 } });
            (double loss, _) = trainer.Step(examples, 0, 0);
            if (config.AdversarialEpsilon > 0) Assert.That(trainer.AdversarialLoss, Is.GreaterThan(loss), "along the gradient the loss grows");
            Assert.That(Tiny.Doubles(model.Parameters.Flat), Is.EqualTo(before));
            return [.. Tiny.Doubles(trainer.Optimizer.FirstMoment).Select(m => 2 * m)];
        }
    }

    [Test]
    public void NaNInAWeightNamesTheTensor()
    {
        using LlamaModel model = Scorer();
        model.Parameters.Span("score.weight")[3] = float.NaN;
        using var trainer = new RewardModelTrainer(model, Config(RewardObjective.Binary));
        Assert.That(() => trainer.Step(Examples(RewardObjective.Binary), 0, 0), Throws.TypeOf<NumericalException>().With.Message.Contains("the weight score.weight.").And.Message.Contains("at optimiser step 1, rows 0, 1, 2,").And.Message.Contains(" of the data; no step was taken."));
    }
}

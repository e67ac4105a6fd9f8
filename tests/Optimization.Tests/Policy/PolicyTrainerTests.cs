using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class PolicyTrainerTests
{
    /// <summary>Float32 sums in another order.</summary>
    private const double LossTolerance = 1e-6, WeightTolerance = 1e-5;

    /// <summary>16 tokens: every response alone, nothing is padded. 4096: all of a minibatch padded to the longest.</summary>
    [TestCase(40)]
    [TestCase(4096)]
    public void NothingDependsOnTheMicroBatches(int tokens)
    {
        (double[] weights, Dictionary<string, double> alone) = Train(16);
        (double[] others, Dictionary<string, double> cut) = Train(tokens);
        Assert.Multiple(() =>
        {
            Assert.That(others, Is.EqualTo(weights).Within(WeightTolerance));
            foreach (string name in (string[])["policy/loss", "value/loss", "policy/approx_kl", "entropy", "advantage/mean"])
                Assert.That(cut[name], Is.EqualTo(alone[name]).Within(LossTolerance), name);
            Assert.That(cut["tokens/trained"], Is.EqualTo(alone["tokens/trained"]));
        });

        static (double[], Dictionary<string, double>) Train(int micro)
        {
            using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { MicroBatchTokens = micro }));
            Dictionary<string, double> metrics = at.Train().ToDictionary();
            return (Tiny.Doubles(at.Policy.Parameters.Flat), metrics);
        }
    }

    /// <summary>One minibatch of everything: the order of the rows is then only an order of summation.</summary>
    [Test]
    public void NothingDependsOnTheOrderOfRows()
    {
        RunConfig run = PolicyFixture.Configuration(ppo => ppo with { MinibatchSize = 10 });
        using var forwards = new PolicyFixture(run);
        using var backwards = new PolicyFixture(run);
        int n = forwards.Batch.Sequences.Count;
        var turned = new TrajectoryBatch([.. forwards.Batch.Sequences.Reverse()]);
        for (int i = 0; i < n; i++)
        {
            (turned.Scores[i], turned.Finished[i], turned.Groups[i]) = (forwards.Batch.Scores[n - 1 - i], forwards.Batch.Finished[n - 1 - i], forwards.Batch.Groups[n - 1 - i]);
            forwards.Batch.ReferenceLogProbs.AsSpan(forwards.Batch.Response(n - 1 - i)).CopyTo(turned.ReferenceLogProbs.AsSpan(turned.Response(i)));
        }

        double a = forwards.Train().ToDictionary()["policy/loss"];
        double b = backwards.Trainer.Train(turned, 1).ToDictionary()["policy/loss"];
        Assert.Multiple(() =>
        {
            Assert.That(b, Is.EqualTo(a).Within(LossTolerance));
            Assert.That(Tiny.MaxDifference(backwards.Policy.Parameters.Flat, forwards.Policy.Parameters.Flat), Is.LessThan(WeightTolerance));
        });
    }

    [Test]
    public void TheFirstRatioIsOne()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration());
        Assert.That(at.Train().FirstRatioGap, Is.LessThan(1e-5));
    }

    /// <summary>What a wrong mask, temperature or position does to a stored log-prob.</summary>
    [Test]
    public void ATamperedLogProbStopsTheRun()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { MinibatchSize = 10 }));
        at.Trainer.Rescore(at.Batch);
        at.Batch.OldLogProbs[3] += 0.01;
        NumericalException error = Assert.Throws<NumericalException>(() => at.Trainer.Learn(at.Batch, 1))!;
        Assert.That(error.Message, Does.Contain("max |ratio − 1| is 0.00995").And.Contain("method.first_ratio_tolerance = 0.001"));
    }

    [Test]
    public void NaNInAWeightNamesTheTensor()
    {
        const string name = "model.layers.1.mlp.up_proj.weight";
        using var at = new PolicyFixture(PolicyFixture.Configuration());
        at.Policy.Parameters.Span(name)[5] = float.NaN;
        Assert.That(() => at.Train(), Throws.TypeOf<NumericalException>().With.Message.Contains($"the weight {name}.").And.Message.StartsWith("Iteration 1, rows 0, 1, 2, ").And.Message.Contains(" of the scored file: the policy's own log-probs"));
    }

    [Test]
    public void NaNInTheCriticNamesTheTensor()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { Critic = Critic.Separate }));
        at.CriticModel!.Parameters.Span("value_head.weight")[0] = float.NaN;
        Assert.That(() => at.Train(), Throws.TypeOf<NumericalException>().With.Message.Contains("the weight value_head.weight."));
    }

    // 10 responses in minibatches of 5 are 2 steps an epoch. The second step of the first epoch sees moved weights: KL > 0 > the target of 1e-12.
    [TestCase(1e-12, 2, 1)]
    [TestCase(0, 8, 0)]
    [TestCase(50, 8, 0)]
    public void TargetKlEndsTheEpochs(double target, int updates, int early)
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { Epochs = 4, TargetKl = target }));
        Dictionary<string, double> metrics = at.Train().ToDictionary();
        Assert.Multiple(() =>
        {
            Assert.That(metrics["policy/updates"], Is.EqualTo(updates));
            Assert.That(metrics["policy/early_stop"], Is.EqualTo(early));
        });
    }

    /// <summary>Minibatches without a token to train on say nothing of the KL: three of five empty ones must not make it 2/5 of what it is.</summary>
    [TestCase(0.7, 1)]
    [TestCase(1.4, 0)]
    public void TargetKlIsHeldAgainstTheMinibatchesThatTrain(double share, int early)
    {
        using PolicyFixture once = Fixture(1, 0);
        double kl = once.Train().ToDictionary()["policy/approx_kl"];
        Assert.That(kl, Is.GreaterThan(0));
        using PolicyFixture twice = Fixture(2, share * kl);
        Dictionary<string, double> metrics = twice.Train().ToDictionary();
        Assert.That((metrics["policy/early_stop"], metrics["policy/updates"]), Is.EqualTo(((double)early, early == 1 ? 2.0 : metrics["policy/updates"])));

        static PolicyFixture Fixture(int epochs, double target)
        {
            var at = new PolicyFixture(PolicyFixture.Configuration(m => m with { Epochs = epochs, MinibatchSize = 2, TargetKl = target }, o => o with { LearningRate = 1e-2 }));
            int[] order = AddressedRandom.Permutation(10, at.Run.Seed, 1, 0); // of the first epoch
            foreach (int row in order[4..]) at.Batch.Scored[row] = false;
            return at;
        }
    }

    // Error 8/2 − 1 = 3, held at 0.2: 0.5 · (1 + 0.2 · 100/1000) = 0.51. Error 1/2 − 1, held at −0.2: 0.49. Error 2.2/2 − 1 = 0.1: 0.505.
    [TestCase(8, 0.51)]
    [TestCase(1, 0.49)]
    [TestCase(2.2, 0.505)]
    public void TheAdaptiveCoefficientByHand(double kl, double expected) => Assert.That(
        KlSchedules.Reward(0.5, kl, 100, new MethodConfig { KlTarget = 2, KlHorizon = 1000 }), Is.EqualTo(expected).Within(1e-12));

    [Test]
    public void TheCoefficientMovesBetweenIterations()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { KlTarget = 1e6, KlHorizon = 100 }));
        PolicyMetrics metrics = at.Train();
        Assert.Multiple(() =>
        {
            Assert.That(metrics.KlCoefficient, Is.EqualTo(0.1), "this iteration");
            Assert.That(at.Trainer.State.KlCoefficient, Is.EqualTo(0.1 * (1 - (0.2 * 10 / 100))).Within(1e-12), "the next: KL is far below the target");
            Assert.That(at.Trainer.State.Iteration, Is.EqualTo(1));
        });
    }

    /// <summary>A linear schedule to 0 still trains in its last iteration: 3/4, 2/4 and 1/4 follow the peak.</summary>
    [Test]
    public void TheLastIterationIsNotWasted()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(ppo => ppo with { Epochs = 1 }, steps => steps with { Schedule = LearningRateShape.Linear }));
        double[] rates = [.. Enumerable.Range(1, 4).Select(i => at.Train(i).ToDictionary()["learning_rate"])];
        Assert.That(rates, Is.EqualTo(new[] { 1e-3, 0.75e-3, 0.5e-3, 0.25e-3 }).Within(1e-9));
    }

    /// <summary>Rewards: −β·KL a token, the score on the last one; a response cut by length pays the penalty.</summary>
    [Test]
    public void TheScoreLandsOnTheLastToken()
    {
        var batch = new TrajectoryBatch([new(new[] { 3, 4, 5 }, 1), new(new[] { 3, 4 }, 1)]);
        (batch.Scores[0], batch.Scores[1], batch.Finished[1]) = (2, 1, false);
        double[] old = [-1, -2, -0.5], reference = [-1.5, -2, -1.5];
        old.CopyTo(batch.OldLogProbs, 0);
        reference.CopyTo(batch.ReferenceLogProbs, 0);
        MethodConfig config = new() { MissingEosPenalty = 0.25, Gamma = 1, Lambda = 1, RewardClip = 1.5 };
        var state = new PolicyState(0, 0.5, default);
        double kl = RewardShaping.Fill(batch, config, 48, state).KlPerSequence;
        PolicyMethods.Create(config).Advantages(batch, state);
        Assert.Multiple(() =>
        {
            // KL per token 0.5, 0, 1: −0.25, 0 + min(2, 1.5), −0.5 + (1 − 0.25). Sums of λ = 1 returns with V = 0; the mean KL is 1.5 / 2.
            Assert.That(batch.Rewards, Is.EqualTo(new[] { -0.25, 1.5, 0.25 }));
            Assert.That(batch.Returns, Is.EqualTo(new[] { 1.25, 1.5, 0.25 }));
            Assert.That(kl, Is.EqualTo(0.75));
        });
    }

    [Test]
    public void CancellationIsHonouredBetweenSteps()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration());
        using var stop = new CancellationTokenSource();
        Assert.That(() => at.Trainer.Train(at.Batch, 1, (_, _) => stop.Cancel(), cancellation: stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(at.Trainer.PolicyOptimizer.Step, Is.EqualTo(1));
    }
}

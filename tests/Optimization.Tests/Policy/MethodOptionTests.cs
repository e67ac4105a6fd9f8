using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>What single options of the section <c>method</c> do, through the real trainer.</summary>
public sealed class MethodOptionTests
{
    private static RunConfig Run(MethodConfig method) => PolicyFixture.Configuration(_ => method with { MinibatchSize = 5, MicroBatchTokens = 64 });

    [Test]
    public void ConfiguredNamesAreThoseOfTheAlgorithms() => Assert.Multiple(() =>
    {
        Assert.That(Enum.GetNames<Aggregation>(), Is.EqualTo(Enum.GetNames<LossAggregation>()));
        Assert.That(Enum.GetNames<CorrectionScope>(), Is.EqualTo(Enum.GetNames<CorrectionLevel>()));
        Assert.That(Enum.GetNames<KlEstimate>()[..3], Is.EqualTo(Enum.GetNames<KlEstimator>()[..3]));
    });

    /// <summary>The trunk that policy and critic share does not move; the value head does.</summary>
    [Test]
    public void CriticWarmUpMovesTheCriticOnly([Values(Critic.Shared, Critic.Separate)] Critic critic)
    {
        RunConfig run = Run(new MethodConfig { Critic = critic, CriticWarmupIterations = 1, Epochs = 1 });
        if (critic == Critic.Separate) run = run with { Optimizer = run.Optimizer with { WeightDecay = 0.1 } };
        using var at = new PolicyFixture(run);
        double[] before = Tiny.Doubles(at.Policy.Parameters.Flat);
        double[] critics = at.CriticModel is null ? [] : Tiny.Doubles(at.CriticModel.Parameters.Flat);
        at.Train(1);
        double[] after = Tiny.Doubles(at.Policy.Parameters.Flat);
        foreach (ParameterPlace place in at.Policy.Parameters.Table)
        {
            var range = new Range((int)place.Offset, (int)(place.Offset + place.Count));
            bool head = place.Name.StartsWith("value_head", StringComparison.Ordinal);
            Assert.That(after[range].SequenceEqual(before[range]), Is.EqualTo(!head), place.Name);
        }

        if (at.CriticModel is not null) Assert.That(Tiny.Doubles(at.CriticModel.Parameters.Flat), Is.Not.EqualTo(critics));
        at.Train(2);
        Assert.That(Tiny.Doubles(at.Policy.Parameters.Flat), Is.Not.EqualTo(after), "after warm-up the policy learns");
    }

    /// <summary>The mean ratio is about 1: a guard below it leaves every step out, one above it none.</summary>
    [TestCase(0.5, 0, 4)]
    [TestCase(100, 4, 0)]
    public void TheRatioGuardLeavesStepsOut(double guard, int updates, int guarded)
    {
        using var at = new PolicyFixture(Run(new MethodConfig { Epochs = 2, RatioGuard = guard }));
        double[] before = Tiny.Doubles(at.Policy.Parameters.Flat);
        Dictionary<string, double> metrics = at.Train().ToDictionary();
        Assert.Multiple(() =>
        {
            Assert.That((metrics["policy/updates"], metrics["policy/guarded_steps"]), Is.EqualTo(((double)updates, (double)guarded)));
            Assert.That(Tiny.Doubles(at.Policy.Parameters.Flat).SequenceEqual(before), Is.EqualTo(updates == 0));
        });
    }

    /// <summary>Prompts 0 and 1 of five scored alike: four of ten responses are left out, and their tokens move nothing.</summary>
    [Test]
    public void DynamicSamplingLeavesOutPromptsThatTellNothing()
    {
        using var at = new PolicyFixture(Run(MethodDefaults.Of(MethodName.Dapo) with { OverlongBuffer = 0 }));
        for (int i = 0; i < 4; i++) at.Batch.Scores[i] = 0.25;
        Dictionary<string, double> metrics = at.Train().ToDictionary();
        int tokens = at.Batch.Offsets[^1] - at.Batch.Offsets[4];
        Assert.Multiple(() =>
        {
            Assert.That(metrics["rollout/left_out_share"], Is.EqualTo(0.4));
            Assert.That(metrics["tokens/trained"], Is.EqualTo(tokens));
            Assert.That(at.Batch.Advantages[..at.Batch.Offsets[4]], Is.All.Zero);
        });
    }

    [Test]
    public void NothingToTrainOnIsNoStep()
    {
        using var at = new PolicyFixture(Run(MethodDefaults.Of(MethodName.Dapo) with { OverlongBuffer = 0 }));
        Array.Fill(at.Batch.Scores, 1);
        double[] before = Tiny.Doubles(at.Policy.Parameters.Flat);
        Dictionary<string, double> metrics = at.Train().ToDictionary();
        Assert.That(metrics["policy/updates"], Is.Zero);
        Assert.That(metrics.Values.All(double.IsFinite));
        Assert.That(Tiny.Doubles(at.Policy.Parameters.Flat), Is.EqualTo(before));
    }

    /// <summary>Whatever a row without a score holds, the update is that of the batch without it, and so are the numbers that tell of it.</summary>
    [Test]
    public void ARowWithoutAScoreChangesNothing([Values] MethodName name)
    {
        RunConfig run = PolicyFixture.Configuration(_ => MethodDefaults.Of(name) with { MinibatchSize = 16, OverlongBuffer = 0, KlTarget = name == MethodName.Ppo ? 0.5 : 0 });
        using var with = new PolicyFixture(run, 8);
        using var without = new PolicyFixture(run, 8);
        var longer = new TrajectoryBatch([.. with.Batch.Sequences, new(new[] { 3, 4, 5, 6 }, 2)]) { GreedyScores = [.. with.Batch.GreedyScores, 9], ReferenceScores = [.. with.Batch.ReferenceScores, 9] };
        with.Batch.Scores.CopyTo(longer.Scores, 0);
        with.Batch.Groups.CopyTo(longer.Groups, 0);
        with.Batch.Finished.CopyTo(longer.Finished, 0);
        with.Batch.ReferenceLogProbs.CopyTo(longer.ReferenceLogProbs, 0);
        with.Batch.RolloutLogProbs.CopyTo(longer.RolloutLogProbs, 0);
        with.Batch.SamplerLogProbs.CopyTo(longer.SamplerLogProbs, 0);
        with.Batch.TokenRewards.CopyTo(longer.TokenRewards, 0);
        (longer.Scores[8], longer.Scored[8], longer.Groups[8]) = (1e4, false, 0);
        longer.ResponseMask.AsSpan(longer.Response(8)).Clear();
        for (int t = longer.Offsets[8]; t < longer.Tokens; t++) (longer.ReferenceLogProbs[t], longer.RolloutLogProbs[t], longer.SamplerLogProbs[t]) = (-40, 7, 7);
        Dictionary<string, double> more = with.Trainer.Train(longer, 1).ToDictionary(), less = without.Train().ToDictionary();
        Assert.That(Tiny.MaxDifference(with.Policy.Parameters.Flat, without.Policy.Parameters.Flat), Is.LessThan(1e-5));
        string[] ofEverythingDrawn = ["tokens/generated", "rollout/length_mean", "rollout/length_max", "rollout/left_out_share"];
        Assert.That(more.Keys, Is.EquivalentTo(less.Keys));
        Assert.That(with.Trainer.State.KlCoefficient, Is.EqualTo(without.Trainer.State.KlCoefficient).Within(1e-6));
        foreach ((string metric, double value) in less)
        {
            // Another batch shape sums float32 in another order.
            if (ofEverythingDrawn.Contains(metric)) Assert.That(more[metric], Is.Not.NaN);
            else Assert.That(more[metric], Is.EqualTo(value).Within(1e-4 * Math.Max(1, Math.Abs(value))), metric);
        }
    }

    /// <summary>Two iterations by hand with γ = 1, no KL: b is 0 first, then the mean of the first iteration's scores.</summary>
    [Test]
    public void TheMovingAverageIsThatOfEarlierIterations()
    {
        var config = MethodDefaults.Of(MethodName.Reinforce);
        PolicyState state = PolicyState.Initial(config);
        TrajectoryBatch first = Scored(1, 3), second = Scored(5, 5);
        state = PolicyMethods.Create(config).Advantages(first, state);
        Assert.That(first.Advantages, Is.EqualTo(new double[] { 1, 1, 3 }));
        PolicyMethods.Create(config).Advantages(second, state);
        Assert.That(second.Advantages, Is.EqualTo(new double[] { 3, 3, 3 }).Within(1e-12), "5 − 2");

        static TrajectoryBatch Scored(double a, double b)
        {
            var batch = new TrajectoryBatch([new(new[] { 3, 4, 5 }, 1), new(new[] { 3, 4 }, 1)]);
            (batch.Rewards[1], batch.Rewards[2]) = (a, b);
            return batch;
        }
    }

    /// <summary>score − reference's − 0.5 for each of 2 tokens beyond 1 − 1 for no EOS = 4 − 1 − 0.5 − 1 = 1.5; dense rewards are added to their tokens.</summary>
    [Test]
    public void RewardsAreShapedInOrder()
    {
        var batch = new TrajectoryBatch([new(new[] { 3, 4, 5 }, 1)]) { ReferenceScores = [1] };
        (batch.Scores[0], batch.Finished[0], batch.TokenRewards[0]) = (4, false, 0.25);
        var config = new MethodConfig { RewardBaseline = RewardBaseline.Reference, LengthPenalty = 0.5, FreeLength = 1, MissingEosPenalty = 1, TokenRewards = true, KlCoefficient = 0 };
        RewardShaping.Fill(batch, config, 48, PolicyState.Initial(config));
        Assert.That(batch.Rewards, Is.EqualTo(new[] { 0.25, 1.5 }));
    }

    [Test]
    public void MissingBaselinesAndGroupsAreTold()
    {
        using var remax = new PolicyFixture(Run(MethodDefaults.Of(MethodName.Remax)));
        remax.Batch.GreedyScores = [];
        Assert.That(() => remax.Train(), Throws.TypeOf<BadDataException>().With.Message.Contains("baseline: greedy needs the score of the policy's own greedy response").And.Message.Contains("--greedy"));
        using var rloo = new PolicyFixture(Run(MethodDefaults.Of(MethodName.Rloo)));
        for (int i = 0; i < rloo.Batch.Groups.Length; i++) rloo.Batch.Groups[i] = i;
        Assert.That(() => rloo.Train(), Throws.TypeOf<BadDataException>().With.Message.Contains("alone with its prompt").And.Message.Contains("generation.samples_per_prompt"));
    }

    /// <summary>Weights of 1 change nothing; weights of a sampler that was twice as sure are halved.</summary>
    [Test]
    public void CorrectionsAreWeightsOfTheLoss()
    {
        RunConfig run = Run(MethodDefaults.Of(MethodName.Grpo) with { Correction = Correction.Truncate });
        using var at = new PolicyFixture(run);
        at.Trainer.Rescore(at.Batch);
        for (int t = 0; t < at.Batch.Tokens; t++) at.Batch.SamplerLogProbs[t] = at.Batch.OldLogProbs[t] + Math.Log(2);
        Dictionary<string, double> metrics = at.Trainer.Learn(at.Batch, 1).ToDictionary();
        Assert.Multiple(() =>
        {
            Assert.That(metrics["mismatch/weight_mean"], Is.EqualTo(0.5).Within(1e-9));
            Assert.That(metrics["mismatch/truncated_share"], Is.Zero);
            Assert.That(at.Batch.Corrections, Is.All.EqualTo(0.5).Within(1e-9));
        });
    }

    /// <summary>Pretraining text raises its own likelihood against the same update without it.</summary>
    [Test]
    public void PretrainingTextBecomesLikelier()
    {
        MethodConfig ppo = new() { Epochs = 4 };
        using var with = new PolicyFixture(Run(ppo with { PtxCoefficient = 2, PtxData = ["text"] }));
        using var without = new PolicyFixture(Run(ppo));
        with.Train();
        without.Train();
        Assert.That(Likelihood(with), Is.GreaterThan(Likelihood(without) + 0.01));

        static double Likelihood(PolicyFixture at)
        {
            TrainingSequence[] text = [new(Enumerable.Range(0, 30).Select(i => 3 + (i * 7 % (Tiny.Vocabulary - 3))).ToArray(), 1)];
            (double nats, long tokens) = ModelParts.NegativeLogLikelihood(at.Policy, ModelParts.Head(at.Policy, trainable: false), text, 1, CPU);
            return -nats / tokens;
        }
    }

    /// <summary>No native handle leaves a step, whatever the method keeps.</summary>
    [Test]
    public void NoTensorOutlivesAnIteration([Values] MethodName name)
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(_ => MethodDefaults.Of(name) with { MinibatchSize = 5, OverlongBuffer = 0 }));
        at.Train(1);
        using DisposeScope scope = NewDisposeScope();
        at.Trainer.Train(PolicyFixture.NewBatch(10), 2);
        Assert.That(scope.DisposablesCount, Is.Zero);
    }
}

using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

/// <summary>Learning to the end on a task with a known optimum, small: an online and an offline method, the same numbers every time.</summary>
public sealed class WalkTaskTests
{
    private const ulong Seed = 1;

    private static readonly Lazy<(WalkTask Task, IReadOnlyList<ScoredRollout> Walks)> Shared = new(() =>
    {
        var task = new WalkTask(Seed);
        return (task, task.Walks(600));
    });

    [Test]
    public void TheGraphAndItsWalksAreFunctionsOfTheSeed()
    {
        var again = new WalkTask(Seed);
        Assert.That(again.Walks(50).Select(w => w.Rollout.Response), Is.EqualTo(Shared.Value.Walks.Take(50).Select(w => w.Rollout.Response)));
        Assert.That(new WalkTask(Seed + 1).Walks(50).Select(w => w.Rollout.Response), Is.Not.EqualTo(Shared.Value.Walks.Take(50).Select(w => w.Rollout.Response)));
    }

    [Test]
    public void PpoLearnsToWalkStraight()
    {
        double first = Online(5, out double before), second = Online(5, out _);
        TestContext.Out.WriteLine($"optimality {before:F3} → {first:F3}");
        Assert.Multiple(() =>
        {
            Assert.That(before, Is.LessThan(0.7));
            Assert.That(first, Is.GreaterThan(before + 0.1));
            Assert.That(second, Is.EqualTo(first), "the same seed, the same numbers");
        });
    }

    private static double Online(int iterations, out double before)
    {
        WalkTask task = Shared.Value.Task;
        using LlamaModel start = task.Pretrain(Shared.Value.Walks, 40), policy = WalkTask.WithValueHead(start);
        before = WalkTask.MeanScore(task.Sample(start, 400, 0));
        RunConfig run = new()
        {
            Seed = Seed, Iterations = iterations, Threads = 1, Policy = "policy", Generation = new GenerationConfig { Prompts = "nodes" },
            Method = new MethodConfig { Epochs = 4, MinibatchSize = 100, KlCoefficient = 0 }, Optimizer = new OptimizerConfig { LearningRate = 3e-3 },
        };
        using var trainer = new PolicyTrainer(policy, null, run);
        for (int iteration = 1; iteration <= iterations; iteration++) trainer.Train(WalkTask.ToBatch(task.Sample(policy, 200, iteration), start), iteration);
        return WalkTask.MeanScore(task.Sample(policy, 400, 0));
    }

    [Test]
    public void RejectionSamplingOfTheWalksBeatsTheirPolicy()
    {
        (WalkTask task, IReadOnlyList<ScoredRollout> walks) = Shared.Value;
        RftData kept = RftData.Of(ScoredGroups.Of(walks, "walks"), new RftConfig { Model = "model", Selection = SampleSelection.Quantile, Quantile = 0.9, HeldOutFraction = 0 }, task.Model);
        using LlamaModel policy = LlamaModel.Create(task.Model, Seed);
        task.Imitate(policy, kept.Training, 60, 1e-2);
        double before = WalkTask.MeanScore(walks), after = WalkTask.MeanScore(task.Sample(policy, 400, 0));
        TestContext.Out.WriteLine($"optimality {before:F3} → {after:F3}, kept {kept.Training.Count} walks");
        Assert.That(after, Is.GreaterThan(before + 0.15));
    }

    [Test]
    public void QLearningFromTheWalksBeatsTheirPolicy()
    {
        (WalkTask task, IReadOnlyList<ScoredRollout> walks) = Shared.Value;
        IlqlConfig config = new() { Model = "model", HeldOutFraction = 0, Tau = 0.8, PolyakRate = 0.1, NormalizeScores = false, Optimizer = new OptimizerConfig { LearningRate = 5e-3 } };
        using LlamaModel policy = LlamaModel.Create(task.Model, Seed);
        using var heads = new IlqlHeads(task.Model, Seed);
        IlqlData data = IlqlData.Of(ScoredGroups.Of(walks, "walks"), config, task.Model);
        using var trainer = new IlqlTrainer(policy, heads, config);
        var order = new EpochOrder(data.Training.Count, Seed, 1);
        for (int step = 0; step < 120; step++) trainer.Step([.. order.Batch(step, 100).Select(i => data.Training[i])], 0);
        double before = WalkTask.MeanScore(walks), after = WalkTask.MeanScore(task.Sample(policy, 400, 0, IlqlExport.Shift(heads, 30)));
        TestContext.Out.WriteLine($"optimality {before:F3} → {after:F3}, loss {trainer.Evaluate(data.Training)}");
        Assert.That(after, Is.GreaterThan(before + 0.15));
    }
}

using NUnit.Framework;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>Every method through the real trainer: what may not matter does not, and a step goes where the advantages point.</summary>
public sealed class MethodInvarianceTests
{
    /// <summary>Float32 sums in another order.</summary>
    private const double LossTolerance = 1e-6, WeightTolerance = 1e-5;

    private static RunConfig Run(MethodConfig method, int micro, int minibatch) =>
        PolicyFixture.Configuration(_ => method with { MicroBatchTokens = micro, MinibatchSize = minibatch, OverlongBuffer = 0 });

    /// <summary>
    /// 16 tokens: each response alone (8 × 1), with no padding at all. 40: cut unevenly. 4096: all of a step at once (1 × 8), every row padded to the longest.
    /// </summary>
    [TestCaseSource(typeof(MethodCases), nameof(MethodCases.All))]
    public void NothingDependsOnTheCutOrThePadding(MethodConfig method)
    {
        (double[] weights, double loss) = Train(16);
        foreach (int tokens in (int[])[40, 4096])
        {
            (double[] others, double cut) = Train(tokens);
            Assert.Multiple(() =>
            {
                Assert.That(cut, Is.EqualTo(loss).Within(LossTolerance * Math.Max(1, Math.Abs(loss))));
                Assert.That(others, Is.EqualTo(weights).Within(WeightTolerance));
            });
        }

        (double[], double) Train(int micro)
        {
            using var at = new PolicyFixture(Run(method, micro, 8), responses: 8);
            double value = at.Train().ToDictionary()["policy/loss"];
            return (Tiny.Doubles(at.Policy.Parameters.Flat), value);
        }
    }

    /// <summary>One minibatch of everything: the order of the rows is then only an order of summation.</summary>
    [TestCaseSource(typeof(MethodCases), nameof(MethodCases.All))]
    public void NothingDependsOnTheOrderOfRows(MethodConfig method)
    {
        RunConfig run = Run(method, 64, 8);
        using var forwards = new PolicyFixture(run, responses: 8);
        using var backwards = new PolicyFixture(run, responses: 8);
        double a = forwards.Train().ToDictionary()["policy/loss"];
        double b = backwards.Trainer.Train(Turned(PolicyFixture.NewBatch(8)), 1).ToDictionary()["policy/loss"];
        Assert.Multiple(() =>
        {
            Assert.That(b, Is.EqualTo(a).Within(LossTolerance * Math.Max(1, Math.Abs(a))));
            Assert.That(Tiny.MaxDifference(backwards.Policy.Parameters.Flat, forwards.Policy.Parameters.Flat), Is.LessThan(WeightTolerance));
        });
    }

    /// <summary>
    /// One small step of plain gradient descent (β₁ = 0, ε far above the gradient): Σ A Δlog π is positive, and log π of tokens with a positive advantage rises
    /// against that of the others.
    /// </summary>
    [TestCaseSource(typeof(MethodCases), nameof(MethodCases.Methods))]
    public void AStepGoesWhereTheAdvantagesPoint(MethodConfig method)
    {
        RunConfig run = PolicyFixture.Configuration(
            _ => method with { Epochs = 1, MinibatchSize = 8, KlCoefficient = 0, EntropyCoefficient = 0, ValueCoefficient = method.Critic == Critic.None ? 0 : 1e-9, OverlongBuffer = 0 },
            steps => steps with { Beta1 = 0, Beta2 = 0, Epsilon = 1e3, LearningRate = 1, MaxGradientNorm = 0 });
        using var at = new PolicyFixture(run, responses: 8);
        at.Train();
        double[] after = new double[at.Batch.Tokens];
        new PolicyScorer(at.Policy, null, 4096, run.Generation.Temperature, CPU).Score(at.Batch.Sequences, at.Batch.Offsets, after, [], []);
        double[] change = [.. after.Zip(at.Batch.OldLogProbs, (x, y) => x - y)];
        double gain = change.Zip(at.Batch.Advantages, (d, a) => d * a).Sum();
        double up = change.Where((_, t) => at.Batch.Advantages[t] > 0).Average(), down = change.Where((_, t) => at.Batch.Advantages[t] < 0).Average();
        Assert.Multiple(() =>
        {
            Assert.That(gain, Is.GreaterThan(0));
            Assert.That(up, Is.GreaterThan(0));
            Assert.That(up, Is.GreaterThan(down));
        });
    }

    [TestCaseSource(typeof(MethodCases), nameof(MethodCases.Methods))]
    public void CriticFreeMethodsNeedNoValueHead(MethodConfig method)
    {
        using var at = new PolicyFixture(Run(method, 64, 8), responses: 8);
        Dictionary<string, double> metrics = at.Train().ToDictionary();
        Assert.That(metrics.ContainsKey("value/loss"), Is.EqualTo(method.Critic != Critic.None));
        Assert.That(at.Policy.Config.Head == Models.ModelHead.LanguageModel, Is.EqualTo(method.Critic == Critic.None));
        Assert.That(metrics.Keys.Where(k => !MetricCatalogue.Default.Contains(k)), Is.Empty, "metrics that the catalogue lacks");
    }

    private static TrajectoryBatch Turned(TrajectoryBatch batch)
    {
        int n = batch.Sequences.Count;
        var turned = new TrajectoryBatch([.. batch.Sequences.Reverse()]) { GreedyScores = [.. batch.GreedyScores.Reverse()], ReferenceScores = [.. batch.ReferenceScores.Reverse()] };
        for (int i = 0; i < n; i++)
        {
            int j = n - 1 - i;
            (turned.Scores[i], turned.Finished[i], turned.Groups[i]) = (batch.Scores[j], batch.Finished[j], batch.Groups[j]);
            foreach ((double[] from, double[] to) in new[]
            {
                (batch.ReferenceLogProbs, turned.ReferenceLogProbs), (batch.TokenRewards, turned.TokenRewards), (batch.SamplerLogProbs, turned.SamplerLogProbs),
            })
            {
                from.AsSpan(batch.Response(j)).CopyTo(to.AsSpan(turned.Response(i)));
            }
        }

        return turned;
    }
}

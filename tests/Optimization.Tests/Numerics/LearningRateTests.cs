using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

public sealed class LearningRateTests
{
    /// <summary>Progress is resolved to a millionth.</summary>
    private const double Resolution = 1e-6;

    // Peak 8, final fraction 1/4. Linear at 1/2: 8 · (1 − 3/4 · 1/2) = 5. Cosine at 1/2: 8 · (1/4 + 3/4 · 1/2) = 5; at 1/3: cos(π/3) = 1/2, 8 · (1/4 + 3/4 · 3/4) = 6.5.
    [TestCase(LearningRateShape.Constant, 0.5, 8)]
    [TestCase(LearningRateShape.Linear, 0, 8)]
    [TestCase(LearningRateShape.Linear, 0.5, 5)]
    [TestCase(LearningRateShape.Linear, 1, 2)]
    [TestCase(LearningRateShape.Cosine, 0, 8)]
    [TestCase(LearningRateShape.Cosine, 1.0 / 3, 6.5)]
    [TestCase(LearningRateShape.Cosine, 0.5, 5)]
    [TestCase(LearningRateShape.Cosine, 1, 2)]
    [TestCase(LearningRateShape.Cosine, 1.7, 2)]
    public void TheShapeFollowsTheShareOfTrainingDone(LearningRateShape shape, double progress, double expected) =>
        Assert.That(LearningRate.At(new OptimizerConfig { LearningRate = 8, Schedule = shape, FinalFraction = 0.25 }, 1000, progress), Is.EqualTo(expected).Within(8 * Resolution * 4));

    // Warm-up of 4 steps to a peak of 8: 2, 4, 6, 8, 8.
    [Test]
    public void WarmUpRisesInSteps() => Assert.That(
        Enumerable.Range(0, 5).Select(step => LearningRate.At(new OptimizerConfig { LearningRate = 8, WarmupSteps = 4 }, step, 0)), Is.EqualTo(new[] { 2.0, 4, 6, 8, 8 }));
}

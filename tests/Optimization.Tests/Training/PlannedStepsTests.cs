using NUnit.Framework;

namespace Rlhf.Optimization.Tests;

public sealed class PlannedStepsTests
{
    [TestCase(0.55, 20, 1, 0, 11)] // 0.55 · 20 is 11.000000000000002
    [TestCase(1, 21, 4, 0, 6)]
    [TestCase(1.5, 20, 4, 0, 8)]
    [TestCase(1, 20, 4, 3, 3)]
    public void PassesBecomeSteps(double epochs, long examples, int batch, int most, long steps) => Assert.That(TrainingLoop.PlannedSteps(epochs, examples, batch, most), Is.EqualTo(steps));
}

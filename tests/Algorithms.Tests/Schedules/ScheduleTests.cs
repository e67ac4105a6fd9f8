namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class ScheduleTests
{
    [Test]
    public void WarmUpThenShape()
    {
        LearningRateSchedule constant = new(ScheduleShape.Constant, 10, 4), linear = new(ScheduleShape.Linear, 8, 4, 0.5), cosine = new(ScheduleShape.Cosine, 8, 4, 0.5);
        foreach (LearningRateSchedule s in new[] { constant, linear, cosine })
            Assert.That(Enumerable.Range(0, 5).Select(i => s.Factor(i)), Is.EqualTo(new[] { 0.25, 0.5, 0.75, 1, 1 }));
        Assert.That(constant.Factor(1000), Is.EqualTo(1));
        // p = (6 − 4)/(8 − 4) = ½: linear 1 − ½·½ = .75; cosine ½ + ½·½·(1 + 0) = .75.
        Assert.That(linear.Factor(6), Is.EqualTo(0.75));
        Assert.That(cosine.Factor(6), Is.EqualTo(0.75).Within(Tolerance.SameFormula));
        Assert.That((linear.Factor(8), linear.Factor(99)), Is.EqualTo((0.5, 0.5)));
        Assert.That(cosine.Factor(99), Is.EqualTo(0.5).Within(Tolerance.SameFormula));
    }

    [Test]
    public void NeverRisesAfterTheWarmUp([Values] ScheduleShape shape)
    {
        LearningRateSchedule s = new(shape, 100, 7);
        for (int i = 7; i < 110; i++) Assert.That(s.Factor(i), Is.LessThanOrEqualTo(s.Factor(i - 1)));
    }

    [Test]
    public void RangesAreChecked() =>
        Assert.That(
            Assert.Throws<ArgumentOutOfRangeException>(() => new LearningRateSchedule(ScheduleShape.Linear, 10, 11))!.Message,
            Does.StartWith("warmupSteps is 11; it must be in 0..totalSteps."));
}

using Rlhf.Pipeline.Bench;

namespace Rlhf.Pipeline.Tests;

public sealed class RateSamplesTests
{
    /// <summary>Repetitions' ratios 1, 2, 1: median 1. The medians 4 and 2 would give 2. Warming up (100 of 1) does not count.</summary>
    [Test]
    public void ARatioIsTheMedianOfTheRepetitionsOwn()
    {
        RateSamples a = new(), b = new();
        foreach ((int repeat, double x, double y) in (ReadOnlySpan<(int, double, double)>)[(-1, 100, 1), (0, 1, 1), (1, 4, 2), (2, 9, 9)])
        {
            a.Add(repeat, x);
            b.Add(repeat, y);
        }

        Assert.That((a.RatioTo(b), a.Median, b.Median, a.Last), Is.EqualTo((1.0, 4.0, 2.0, 9.0)));
        Assert.That(RateSamples.MedianOf([]), Is.NaN);
        Assert.That(RateSamples.MedianOf([4, 1, 2, 3]), Is.EqualTo(2.5));
    }
}

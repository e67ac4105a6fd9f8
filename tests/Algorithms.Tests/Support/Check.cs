namespace Rlhf.Algorithms.Tests;

public static class Check
{
    private const double Step = 1e-5;

    /// <summary>Central differences of <paramref name="function"/> against the analytic gradient; relative to the larger of the two, with a floor of
    /// 1 % of the largest component, below which rounding of the difference dominates.</summary>
    public static void Gradient(Func<double[], double> function, double[] at, double[] gradient, double tolerance = Tolerance.FiniteDifference)
    {
        Assert.That(gradient, Has.Length.EqualTo(at.Length));
        double[] numeric = new double[at.Length];
        for (int i = 0; i < at.Length; i++)
        {
            double[] x = [.. at];
            x[i] = at[i] + Step;
            double plus = function(x);
            x[i] = at[i] - Step;
            numeric[i] = (plus - function(x)) / (2 * Step);
        }

        double largest = gradient.Max(Math.Abs);
        Assert.That(largest, Is.GreaterThan(0), "a gradient that is 0 everywhere tests nothing");
        for (int i = 0; i < at.Length; i++)
        {
            double scale = Math.Max(Math.Max(Math.Abs(gradient[i]), Math.Abs(numeric[i])), 0.01 * largest);
            Assert.That(Math.Abs(gradient[i] - numeric[i]) / scale, Is.LessThan(tolerance), $"component {i}: analytic {gradient[i]}, numeric {numeric[i]}");
        }
    }

    public static void Close(IReadOnlyList<double> found, IReadOnlyList<double> expected, double tolerance = Tolerance.Published)
    {
        Assert.That(found, Has.Count.EqualTo(expected.Count));
        for (int i = 0; i < found.Count; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(tolerance), $"element {i}");
    }

    /// <summary>The same bits (so −0 ≠ 0 and NaN = NaN).</summary>
    public static void SameBits(IReadOnlyList<double> found, IReadOnlyList<double> expected) =>
        Assert.That(found.Select(BitConverter.DoubleToInt64Bits), Is.EqualTo(expected.Select(BitConverter.DoubleToInt64Bits)));

    public static bool[] AllTrue(int n) => [.. Enumerable.Repeat(true, n)];
}

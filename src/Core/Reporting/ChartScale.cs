namespace Rlhf.Core;

/// <summary>An axis: a range that ends on round numbers, and the round numbers in between.</summary>
internal sealed class ChartScale
{
    private ChartScale(double low, double high, IReadOnlyList<double> ticks) => (Low, High, Ticks) = (low, high, ticks);

    public double Low { get; }
    public double High { get; }
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>0 at <see cref="Low"/>, 1 at <see cref="High"/>.</summary>
    public double Place(double value) => (value - Low) / (High - Low);

    /// <summary>A value axis with about <paramref name="wanted"/> steps of 1, 2 or 5 times a power of ten.</summary>
    public static ChartScale ForValues(double low, double high, int wanted = 5, bool fromZero = false)
    {
        if (fromZero) (low, high) = (Math.Min(0, low), Math.Max(0, high));
        if (high - low <= 1e-12 * Math.Max(Math.Abs(low), Math.Abs(high)) || high == low)
        {
            // A flat line stands in the middle.
            double room = low == 0 ? 1 : Math.Abs(low) / 10;
            (low, high) = (low - room, high + room);
        }

        double step = Step((high - low) / wanted);
        double first = Math.Floor((low / step) + 1e-9), last = Math.Ceiling((high / step) - 1e-9);
        List<double> ticks = [];
        for (double i = first; i <= last; i++) ticks.Add(i * step);
        return new ChartScale(first * step, last * step, ticks);
    }

    /// <summary>An axis of whole numbers that begins and ends exactly where the data does.</summary>
    public static ChartScale ForIterations(int first, int last, int wanted = 6)
    {
        if (first == last) return new ChartScale(first - 1, last + 1, [first]);
        double step = Math.Max(1, Step((double)(last - first) / wanted));
        // The first iteration has its number unless the next tick is close to it.
        List<double> ticks = [];
        if (first % step != 0 && step - (first % step) >= 0.6 * step) ticks.Add(first);
        for (double i = Math.Ceiling(first / step); i * step <= last; i++) ticks.Add(i * step);
        return new ChartScale(first, last, ticks);
    }

    private static double Step(double rough)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double lead = rough / power;
        return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
    }
}

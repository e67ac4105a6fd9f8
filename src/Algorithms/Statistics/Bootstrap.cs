namespace Rlhf.Algorithms;

/// <summary>
/// Percentile interval of a statistic over units drawn with replacement (Efron 1979, "Bootstrap methods: another look at the jackknife").
/// Where observations depend on each other (samples of one prompt, pairs of one ranking) the unit is the whole group.
/// </summary>
public static class Bootstrap
{
    /// <summary>A two-sided 95 % interval.</summary>
    /// <param name="units">Number of units.</param>
    /// <param name="statistic">The statistic of some units, given by their numbers (with repetitions).</param>
    /// <param name="draws">Resamples.</param>
    /// <param name="uniform">Uniform number in [0, 1) at the address (draw, place).</param>
    public static (double Low, double High) Interval(int units, Func<int[], double> statistic, int draws, Func<int, int, double> uniform)
    {
        Require.Range(draws > 0, draws, "positive");
        if (units == 0) return (double.NaN, double.NaN);
        double[] values = new double[draws];
        int[] drawn = new int[units];
        for (int d = 0; d < draws; d++)
        {
            for (int i = 0; i < units; i++) drawn[i] = Math.Min(units - 1, (int)(uniform(d, i) * units));
            values[d] = statistic(drawn);
        }

        Array.Sort(values);
        return (Quantile(values, 0.025), Quantile(values, 0.975));
    }

    /// <summary>Linear between neighbours.</summary>
    /// <param name="sorted">Ascending.</param>
    /// <param name="q">0 … 1.</param>
    public static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        if (sorted.IsEmpty) return double.NaN;
        double place = q * (sorted.Length - 1);
        int below = (int)place;
        return below + 1 >= sorted.Length ? sorted[^1] : sorted[below] + ((place - below) * (sorted[below + 1] - sorted[below]));
    }
}

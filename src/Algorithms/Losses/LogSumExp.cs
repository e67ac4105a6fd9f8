namespace Rlhf.Algorithms;

/// <summary>log Σ e^x without overflow; −∞ for nothing or only −∞.</summary>
public static class LogSumExp
{
    public static double Of(ReadOnlySpan<double> values)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (double x in values) max = Math.Max(max, x);
        if (!double.IsFinite(max)) return max;
        foreach (double x in values) sum += Math.Exp(x - max);
        return max + Math.Log(sum);
    }
}

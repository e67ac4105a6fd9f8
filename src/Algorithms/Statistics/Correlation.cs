namespace Rlhf.Algorithms;

/// <summary>How two columns move together.</summary>
public static class Correlation
{
    /// <summary>Pearson's r; NaN where a column is constant.</summary>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Require.Length(y.Length, x.Length, nameof(y));
        Moments mx = Moments.Of(x), my = Moments.Of(y);
        if (mx.IsConstant || my.IsConstant) return double.NaN;
        double xy = 0;
        for (int i = 0; i < x.Length; i++) xy += (x[i] - mx.Mean) * (y[i] - my.Mean);
        return xy / Math.Sqrt(mx.SumOfSquares * my.SumOfSquares);
    }

    /// <summary>Spearman's ρ: Pearson's r of the ranks, ties sharing their mean rank.</summary>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => Pearson(Ranks(x), Ranks(y));

    /// <summary>Ranks from 1; equal values share the mean of theirs.</summary>
    public static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] keys = values.ToArray(), ranks = new double[keys.Length];
        int[] order = new int[keys.Length];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(keys, order);
        for (int start = 0; start < keys.Length;)
        {
            int end = start + 1;
            while (end < keys.Length && keys[end] == keys[start]) end++;
            for (int i = start; i < end; i++) ranks[order[i]] = (start + 1 + end) / 2.0;
            start = end;
        }

        return ranks;
    }
}

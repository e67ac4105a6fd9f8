namespace Rlhf.Algorithms;

/// <summary>
/// How much of the returns' variance the values explain: 1 − Var(R − V) / Var(R) over trained-on tokens. 1 is perfect, 0 is no better than a constant,
/// below 0 is worse. NaN when the returns do not vary: there is nothing to explain.
/// </summary>
public static class ExplainedVariance
{
    public static double Of(ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> values, ReadOnlySpan<double> returns)
    {
        Require.Length(values.Length, responseMask.Length, nameof(values));
        Moments residual = default;
        for (int t = 0; t < responseMask.Length; t++)
            if (responseMask[t]) residual = residual.With(returns[t] - values[t]);
        double variance = Moments.Of(returns, responseMask).PopulationVariance;
        return variance > 0 ? 1 - (residual.PopulationVariance / variance) : double.NaN;
    }
}

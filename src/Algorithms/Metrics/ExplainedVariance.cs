namespace Rlhf.Algorithms;

/// <summary>
/// How much of the returns' variance the values explain: 1 − Var(R − V) / Var(R) over trained-on tokens. 1 is perfect, 0 is no better than a constant,
/// below 0 is worse. 0 when the returns do not vary: there is nothing to explain.
/// </summary>
public static class ExplainedVariance
{
    public static double Of(ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> values, ReadOnlySpan<double> returns)
    {
        Require.Length(values.Length, responseMask.Length, nameof(values));
        Require.Length(returns.Length, responseMask.Length, nameof(returns));
        double variance = Moments.Of(returns, responseMask).PopulationVariance;
        if (variance == 0) return 0;
        double[] residuals = new double[responseMask.Length];
        for (int t = 0; t < residuals.Length; t++) residuals[t] = returns[t] - values[t];
        return 1 - (Moments.Of(residuals, responseMask).PopulationVariance / variance);
    }
}

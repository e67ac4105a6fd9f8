namespace Rlhf.Generation.Tests.Sampling;

/// <summary>Pearson's goodness-of-fit test; cells with fewer than 5 expected draws are pooled; the tail by Wilson–Hilferty (1931).</summary>
internal static class ChiSquare
{
    public static double PValue(int[] counts, double[] p)
    {
        long draws = counts.Sum(c => (long)c);
        double statistic = 0, pooledExpected = 0, pooledCount = 0;
        int cells = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            double expected = p[i] * draws;
            if (expected == 0 && counts[i] > 0) return 0;
            if (expected < 5)
            {
                pooledExpected += expected;
                pooledCount += counts[i];
                continue;
            }

            statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
            cells++;
        }

        if (pooledExpected >= 5)
        {
            statistic += (pooledCount - pooledExpected) * (pooledCount - pooledExpected) / pooledExpected;
            cells++;
        }

        double k = cells - 1;
        double z = (Math.Cbrt(statistic / k) - (1 - (2 / (9 * k)))) / Math.Sqrt(2 / (9 * k));
        return UpperTail(z);
    }

    /// <summary>P(Z > z) of the standard normal: a continued fraction for |z| ≥ 3, a series below.</summary>
    private static double UpperTail(double z)
    {
        if (z < 0) return 1 - UpperTail(-z);
        double density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        if (z < 3)
        {
            double term = z, sum = z;
            for (int i = 1; i < 200; i++) sum += term *= z * z / ((2 * i) + 1);
            return .5 - (density * sum);
        }

        double fraction = z;
        for (int i = 60; i >= 1; i--) fraction = z + (i / fraction);
        return density / fraction;
    }
}

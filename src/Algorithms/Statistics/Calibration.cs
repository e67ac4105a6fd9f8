namespace Rlhf.Algorithms;

/// <summary>One bar of a reliability table.</summary>
/// <param name="From">Lower end of the bin.</param>
/// <param name="To">Upper end.</param>
/// <param name="Count">Observations.</param>
/// <param name="Confidence">Mean probability; NaN without observations.</param>
/// <param name="Accuracy">Share of outcomes that were 1; NaN without observations.</param>
public readonly record struct ReliabilityBin(double From, double To, int Count, double Confidence, double Accuracy);

/// <summary>
/// Do probabilities mean what they say (Guo et al. 2017, "On calibration of modern neural networks")? A reliability table, its expected error
/// Σ share · |accuracy − confidence|, and the temperature T of σ(z/T) that makes the log-likelihood largest.
/// </summary>
public static class Calibration
{
    /// <summary>Equal bins of [low, 1]; low is ½ where the probability is that of the choice made.</summary>
    public static ReliabilityBin[] Table(ReadOnlySpan<double> probabilities, ReadOnlySpan<double> outcomes, int bins, double low = 0)
    {
        Require.Length(outcomes.Length, probabilities.Length, nameof(outcomes));
        double[] sums = new double[bins], hits = new double[bins];
        int[] counts = new int[bins];
        for (int i = 0; i < probabilities.Length; i++)
        {
            int bin = Math.Clamp((int)((probabilities[i] - low) / (1 - low) * bins), 0, bins - 1);
            sums[bin] += probabilities[i];
            hits[bin] += outcomes[i];
            counts[bin]++;
        }

        var table = new ReliabilityBin[bins];
        for (int b = 0; b < bins; b++)
        {
            double from = low + ((1 - low) * b / bins), to = low + ((1 - low) * (b + 1) / bins);
            table[b] = new ReliabilityBin(from, to, counts[b], sums[b] / counts[b], hits[b] / counts[b]);
        }

        return table;
    }

    /// <summary>Expected calibration error of a table; NaN without observations.</summary>
    public static double ExpectedError(ReadOnlySpan<ReliabilityBin> table)
    {
        double error = 0;
        long all = 0;
        foreach (ReliabilityBin bin in table)
        {
            if (bin.Count == 0) continue;
            error += bin.Count * Math.Abs(bin.Accuracy - bin.Confidence);
            all += bin.Count;
        }

        return all == 0 ? double.NaN : error / all;
    }

    /// <summary>T &gt; 0 with the least −Σ log-likelihood of outcomes under σ(z/T); found in log T by golden section (the loss is convex in 1/T).</summary>
    /// <param name="logits">z.</param>
    /// <param name="outcomes">0 … 1.</param>
    public static double Temperature(ReadOnlySpan<double> logits, ReadOnlySpan<double> outcomes)
    {
        Require.Length(outcomes.Length, logits.Length, nameof(outcomes));
        const double golden = 0.6180339887498949;
        double low = Math.Log(0.01), high = Math.Log(100);
        double a = high - (golden * (high - low)), b = low + (golden * (high - low));
        double fa = Loss(logits, outcomes, Math.Exp(a)), fb = Loss(logits, outcomes, Math.Exp(b));
        for (int i = 0; i < 60; i++)
        {
            if (fa < fb)
            {
                (high, b, fb) = (b, a, fa);
                a = high - (golden * (high - low));
                fa = Loss(logits, outcomes, Math.Exp(a));
            }
            else
            {
                (low, a, fa) = (a, b, fb);
                b = low + (golden * (high - low));
                fb = Loss(logits, outcomes, Math.Exp(b));
            }
        }

        return Math.Exp((low + high) / 2);
    }

    /// <summary>Mean −log-likelihood under σ(z/T).</summary>
    public static double Loss(ReadOnlySpan<double> logits, ReadOnlySpan<double> outcomes, double temperature)
    {
        double loss = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double z = logits[i] / temperature;
            if (outcomes[i] > 0) loss -= outcomes[i] * Logistic.LogSigmoid(z);
            if (outcomes[i] < 1) loss -= (1 - outcomes[i]) * Logistic.LogSigmoid(-z);
        }

        return loss / logits.Length;
    }
}

using Rlhf.Core;

namespace Rlhf.Generation.Tests.Sampling;

/// <summary>The definition, in float64, with a full sort: what the vectorised sampler is held against.</summary>
internal static class NaiveSampler
{
    /// <summary>Probabilities of the distribution that is drawn from.</summary>
    public static double[] Distribution(float[] logits, SamplingOptions options, int[] seen, int[] forbidden)
    {
        double[] x = [.. logits.Select(v => (double)v)];
        foreach (int t in seen.Distinct())
        {
            // The penalised logit is a float32, as the model's logits are.
            float penalty = (float)options.RepetitionPenalty;
            x[t] = logits[t] > 0 ? logits[t] / penalty : logits[t] * penalty;
        }

        foreach (int t in forbidden) x[t] = double.NegativeInfinity;
        double[] p = Softmax(x, options.Temperature);
        int[] order = [.. Enumerable.Range(0, x.Length).OrderByDescending(i => x[i])];
        if (options.Greedy)
        {
            double[] one = new double[x.Length];
            one[Array.IndexOf(x, x.Max())] = 1;
            return one;
        }

        if (options.TopK > 0 && options.TopK < x.Length)
        {
            double border = x[order[options.TopK - 1]];
            p = Keep(p, i => x[i] >= border);
        }

        if (options.TopP < 1)
        {
            double mass = 0;
            int kept = 0;
            while (kept < order.Length && mass + p[order[kept]] <= options.TopP) mass += p[order[kept++]];
            double border = x[order[Math.Max(kept, 1) - 1]];
            p = Keep(p, i => x[i] >= border);
        }

        if (options.MinP > 0)
        {
            double most = p.Max();
            p = Keep(p, i => p[i] >= options.MinP * most);
        }

        return p;
    }

    public static double[] Softmax(double[] x, double temperature)
    {
        double max = x.Max();
        double[] e = [.. x.Select(v => Math.Exp((v - max) / temperature))];
        double total = e.Sum();
        return [.. e.Select(v => v / total)];
    }

    private static double[] Keep(double[] p, Func<int, bool> kept)
    {
        double[] q = [.. p.Select((v, i) => kept(i) ? v : 0)];
        double total = q.Sum();
        return [.. q.Select(v => v / total)];
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Ranked groups (Plackett 1975, Luce 1959; for language models Song et al. 2023, "Preference ranking optimization"): scores s_1, …, s_K from best to
/// worst, L = −Σ_{k&lt;K} log( e^{s_k} / Σ_{j≥k} e^{s_j} ). K = 2 is Bradley–Terry.
/// </summary>
public static class PlackettLuceLoss
{
    /// <summary>Writes ∂L/∂s; returns L.</summary>
    /// <param name="offsets">[groups + 1] over <paramref name="scores"/>.</param>
    /// <param name="scores">[responses] best first within a group.</param>
    /// <param name="scale">1 / groups of the whole optimiser step.</param>
    /// <param name="gradient">[responses] written.</param>
    public static double Evaluate(ReadOnlySpan<int> offsets, ReadOnlySpan<double> scores, double scale, Span<double> gradient)
    {
        Require.Ragged(offsets, scores.Length);
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        gradient.Clear();
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            ReadOnlySpan<double> s = scores[offsets[i]..offsets[i + 1]];
            Span<double> g = gradient[offsets[i]..offsets[i + 1]];
            for (int k = 0; k + 1 < s.Length; k++)
            {
                double logSum = LogSumExp.Of(s[k..]);
                loss += scale * (logSum - s[k]);
                g[k] -= scale;
                for (int j = k; j < s.Length; j++) g[j] += scale * Math.Exp(s[j] - logSum);
            }
        }

        return loss;
    }
}

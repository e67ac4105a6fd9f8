namespace Rlhf.Algorithms;

/// <summary>
/// "Pick the best of K" (Ziegler et al. 2019, equation 1): L = −log( e^{s_b} / Σ_j e^{s_j} ), softmax cross-entropy over the group with b the one that
/// people chose.
/// </summary>
public static class BestOfKLoss
{
    /// <summary>Writes ∂L/∂s = scale (softmax(s) − [j = b]); returns L.</summary>
    /// <param name="offsets">[groups + 1] over <paramref name="scores"/>.</param>
    /// <param name="scores">[responses].</param>
    /// <param name="best">[groups] index of the best within its group.</param>
    /// <param name="scale">1 / groups of the whole optimiser step.</param>
    /// <param name="gradient">[responses] written.</param>
    public static double Evaluate(ReadOnlySpan<int> offsets, ReadOnlySpan<double> scores, ReadOnlySpan<int> best, double scale, Span<double> gradient)
    {
        Require.Ragged(offsets, scores.Length);
        Require.Length(best.Length, RaggedOffsets.SequenceCount(offsets), nameof(best));
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i < best.Length; i++)
        {
            ReadOnlySpan<double> s = scores[offsets[i]..offsets[i + 1]];
            Require.Range(best[i] >= 0 && best[i] < s.Length, best[i], $"in 0..{s.Length - 1}, the group's responses", nameof(best));
            double logSum = LogSumExp.Of(s);
            loss += scale * (logSum - s[best[i]]);
            for (int j = 0; j < s.Length; j++) gradient[offsets[i] + j] = scale * (Math.Exp(s[j] - logSum) - (j == best[i] ? 1 : 0));
        }

        return loss;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// <see cref="CentringPenalty"/> for groups of any size: L = c Σ_i s (Σ_j r_ij)². Softmax and Plackett–Luce losses know only differences within a
/// group; this pins the scores' zero. Two responses give the pairs' penalty.
/// </summary>
public static class GroupCentringPenalty
{
    /// <summary>Adds ∂L/∂r_ij = 2 c s Σ_k r_ik to the gradient; returns L.</summary>
    /// <param name="offsets">[groups + 1] over <paramref name="scores"/>.</param>
    /// <param name="scores">[responses].</param>
    /// <param name="coefficient">c.</param>
    /// <param name="scale">s = 1 / groups of the whole optimiser step.</param>
    /// <param name="gradient">[responses] added to.</param>
    public static double Add(ReadOnlySpan<int> offsets, ReadOnlySpan<double> scores, double coefficient, double scale, Span<double> gradient)
    {
        Require.Ragged(offsets, scores.Length);
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            double sum = 0;
            for (int j = offsets[i]; j < offsets[i + 1]; j++) sum += scores[j];
            loss += coefficient * scale * sum * sum;
            for (int j = offsets[i]; j < offsets[i + 1]; j++) gradient[j] += 2 * coefficient * scale * sum;
        }

        return loss;
    }
}

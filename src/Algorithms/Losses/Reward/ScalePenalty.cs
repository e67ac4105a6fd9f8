namespace Rlhf.Algorithms;

/// <summary>
/// Holds the size of scores: L = c Σ_i s r_i². Comparisons alone reward ever larger differences; a policy then chases a scale that means
/// nothing.
/// </summary>
public static class ScalePenalty
{
    /// <summary>Adds ∂L/∂r = 2 c s r to the gradient; returns L.</summary>
    public static double Add(ReadOnlySpan<double> scores, double coefficient, double scale, Span<double> gradient)
    {
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            loss += coefficient * scale * scores[i] * scores[i];
            gradient[i] += 2 * coefficient * scale * scores[i];
        }

        return loss;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Regression of a score r on a number y. Squared: ½ (r − y)². Huber (1964): ½ e² for |e| ≤ δ, δ(|e| − ½ δ) beyond, e = r − y.
/// </summary>
public static class RegressionRewardLoss
{
    /// <summary>L = Σ s ½ (r − y)²; writes ∂L/∂r.</summary>
    public static double Squared(ReadOnlySpan<double> scores, ReadOnlySpan<double> targets, double scale, Span<double> gradient) =>
        Huber(scores, targets, double.PositiveInfinity, scale, gradient);

    /// <summary>L = Σ s huber_δ(r − y); writes ∂L/∂r.</summary>
    public static double Huber(ReadOnlySpan<double> scores, ReadOnlySpan<double> targets, double delta, double scale, Span<double> gradient)
    {
        Require.Range(delta > 0, delta, "positive");
        Require.Length(targets.Length, scores.Length, nameof(targets));
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            double e = scores[i] - targets[i], size = Math.Abs(e);
            loss += scale * (size <= delta ? 0.5 * e * e : delta * (size - (0.5 * delta)));
            gradient[i] = scale * Math.Clamp(e, -delta, delta);
        }

        return loss;
    }
}

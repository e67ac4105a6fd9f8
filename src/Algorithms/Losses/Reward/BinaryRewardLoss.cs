namespace Rlhf.Algorithms;

/// <summary>
/// Binary labels on a scalar score r (logistic regression): L = Σ_i s · −[y log σ(r) + (1 − y) log σ(−r)], y in [0, 1].
/// With y = 1 for a human's text and 0 for the policy's it is the discriminator of GAIL (Ho and Ermon 2016), whose reward is log σ(r) or r.
/// </summary>
public static class BinaryRewardLoss
{
    /// <summary>Writes ∂L/∂r = s (σ(r) − y); returns L.</summary>
    public static double Evaluate(ReadOnlySpan<double> scores, ReadOnlySpan<double> labels, double scale, Span<double> gradient)
    {
        Require.Length(labels.Length, scores.Length, nameof(labels));
        Require.Length(gradient.Length, scores.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            double y = labels[i];
            Require.Range(y is >= 0 and <= 1, y, "in [0, 1]", nameof(labels));
            // Zero-weighted terms are left out: 0 · −∞ would be NaN.
            double value = 0;
            if (y > 0) value -= y * Logistic.LogSigmoid(scores[i]);
            if (y < 1) value -= (1 - y) * Logistic.LogSigmoid(-scores[i]);
            loss += scale * value;
            gradient[i] = scale * (Logistic.Sigmoid(scores[i]) - y);
        }

        return loss;
    }
}

namespace Rlhf.Algorithms;

/// <summary>Shannon entropy of softmax(z) in nats: H = log Σ e^z − Σ p z; its gradient is ∂H/∂z_v = −p_v (log p_v + H).</summary>
public static class Entropy
{
    public static double OfLogits(ReadOnlySpan<double> logits)
    {
        double logSum = LogSumExp.Of(logits), entropy = 0;
        foreach (double z in logits)
        {
            double p = Math.Exp(z - logSum);
            if (p > 0) entropy -= p * (z - logSum);
        }

        return entropy;
    }

    /// <summary>H, and scale · ∂H/∂z in <paramref name="gradient"/>.</summary>
    public static double WithGradient(ReadOnlySpan<double> logits, double scale, Span<double> gradient)
    {
        Require.Length(gradient.Length, logits.Length, nameof(gradient));
        double logSum = LogSumExp.Of(logits), entropy = OfLogits(logits);
        for (int v = 0; v < logits.Length; v++)
        {
            double p = Math.Exp(logits[v] - logSum);
            gradient[v] = p > 0 ? -scale * p * (logits[v] - logSum + entropy) : 0;
        }

        return entropy;
    }
}

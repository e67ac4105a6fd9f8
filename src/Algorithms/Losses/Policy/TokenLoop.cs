namespace Rlhf.Algorithms;

/// <summary>The equation of one token.</summary>
internal interface ITokenLoss
{
    /// <summary>ℓ_t, and ∂ℓ_t/∂log π_t in <paramref name="gradient"/>; counts what it clips in <paramref name="sums"/>.</summary>
    double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient);
}

/// <summary>The walk over a batch, shared by all losses whose tokens do not see each other.</summary>
internal static class TokenLoop
{
    public static PolicyLossSums Run<TLoss>(TLoss loss, in PolicyBatch batch, Span<double> gradient)
        where TLoss : struct, ITokenLoss
    {
        batch.Check(gradient.Length);
        PolicyLossSums sums = default;
        for (int t = 0; t < batch.Count; t++)
        {
            if (!batch.ResponseMask[t])
            {
                gradient[t] = 0;
                continue;
            }

            double logRatio = batch.LogProbs[t] - batch.OldLogProbs[t];
            sums.Observe(logRatio);
            double scale = batch.Weights[t] * batch.Correction(t);
            double value = loss.Token(batch.LogProbs[t], logRatio, batch.Advantages[t], ref sums, out double derivative);
            sums.Loss += scale * value;
            gradient[t] = scale * derivative;
        }

        return sums;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// A KL(π_old‖π) penalty beside any policy loss: ℓ = ℓ_inner + β (ρ − 1 − log ρ), ρ = π/π_old: k3 on the sampled token, unbiased for samples of π_old,
/// gradient included. <see cref="PpoPenalty"/> is this over −ρ A.
/// Deviation 1: log ρ is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
/// <param name="inner">The loss that is held near π_old.</param>
/// <param name="coefficient">β ≥ 0.</param>
public sealed class OldPolicyPenalty(IPolicyLoss inner, double coefficient) : IPolicyLoss
{
    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient)
    {
        PolicyLossSums sums = inner.Evaluate(batch, gradient);
        for (int t = 0; t < batch.Count; t++)
        {
            if (!batch.ResponseMask[t]) continue;
            double logRatio = batch.LogProbs[t] - batch.OldLogProbs[t], cut = LogRatio.Cut(logRatio), ratio = Math.Exp(cut);
            double scale = coefficient * batch.Weights[t] * batch.Correction(t);
            sums.Loss += scale * (ratio - 1 - cut);
            if (!LogRatio.IsCut(logRatio)) gradient[t] += scale * (ratio - 1);
        }

        return sums;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// Group sequence policy optimisation (Zheng et al. 2025, equations 5 to 7): one ratio a sequence,
/// s_i = exp(1/|y_i| Σ_t log(π_t/π_old,t)),  ℓ_t = −min(s_i A_t, clip(s_i, 1 − ε_low, 1 + ε_high) A_t).
/// The paper's clip ranges are small (3e−4, 4e−4), for s is a mean, and it aggregates by <see cref="LossAggregation.MeanOfSequenceMeans"/>.
/// Deviation 1: |y| counts trained-on tokens. Deviation 2: log s is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public sealed class Gspo : IPolicyLoss
{
    private readonly double _low;
    private readonly double _high;

    /// <param name="clipRangeLow">ε_low in [0, 1).</param>
    /// <param name="clipRangeHigh">ε_high ≥ 0.</param>
    public Gspo(double clipRangeLow = 3e-4, double clipRangeHigh = 4e-4)
    {
        Require.Range(clipRangeLow is >= 0 and < 1, clipRangeLow, "in [0, 1)");
        Require.Range(clipRangeHigh >= 0, clipRangeHigh, "at least 0");
        (_low, _high) = (1 - clipRangeLow, 1 + clipRangeHigh);
    }

    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient)
    {
        batch.Check(gradient.Length);
        PolicyLossSums sums = default;
        for (int i = 0; i + 1 < batch.Offsets.Length; i++)
        {
            int first = batch.Offsets[i], end = batch.Offsets[i + 1], trained = 0;
            double logRatio = 0;
            for (int t = first; t < end; t++)
            {
                if (!batch.ResponseMask[t]) continue;
                double d = batch.LogProbs[t] - batch.OldLogProbs[t];
                sums.Observe(d);
                logRatio += d;
                trained++;
            }

            if (trained > 0) logRatio /= trained;
            double ratio = Math.Exp(LogRatio.Cut(logRatio)), slope = 0; // slope = Σ_t ∂L/∂s
            for (int t = first; t < end; t++)
            {
                if (!batch.ResponseMask[t]) continue;
                double scale = batch.Weights[t] * batch.Correction(t), advantage = batch.Advantages[t];
                double surrogate = -ratio * advantage, clipped = -Math.Clamp(ratio, _low, _high) * advantage;
                if (clipped > surrogate)
                {
                    if (ratio > _high) sums.ClippedHigh++;
                    else sums.ClippedLow++;
                    sums.Loss += scale * clipped;
                }
                else
                {
                    sums.Loss += scale * surrogate;
                    slope -= scale * advantage;
                }
            }

            // ∂s/∂log π_t = s / |y| for every trained-on token.
            double each = trained == 0 || LogRatio.IsCut(logRatio) ? 0 : slope * ratio / trained;
            for (int t = first; t < end; t++) gradient[t] = batch.ResponseMask[t] ? each : 0;
        }

        return sums;
    }
}

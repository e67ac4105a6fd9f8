namespace Rlhf.Algorithms;

/// <summary>Small rules on the scores of a batch, one number a response, in place. Apply in the order of the configuration.</summary>
public static class ScoreShaping
{
    /// <summary>s ← clip(s, −limit, limit).</summary>
    public static void Clip(Span<double> scores, double limit)
    {
        Require.Range(limit > 0, limit, "positive");
        foreach (ref double s in scores) s = Math.Clamp(s, -limit, limit);
    }

    /// <summary>s ← s · factor.</summary>
    public static void Scale(Span<double> scores, double factor)
    {
        foreach (ref double s in scores) s *= factor;
    }

    /// <summary>
    /// Takes the batch into <paramref name="moments"/>, then s ← s / σ: the mean is kept (Engstrom et al. 2020, "Implementation matters in deep
    /// policy gradients"; trlX's <c>scale_reward: running</c>).
    /// </summary>
    public static void DivideByRunningDeviation(Span<double> scores, RunningMoments moments)
    {
        moments.Update(scores);
        foreach (ref double s in scores) s /= moments.StandardDeviation;
    }

    /// <summary>Takes the batch into <paramref name="moments"/>, then s ← (s − μ) / σ.</summary>
    public static void NormalizeByRunningMoments(Span<double> scores, RunningMoments moments)
    {
        moments.Update(scores);
        foreach (ref double s in scores) s = (s - moments.Mean) / moments.StandardDeviation;
    }

    /// <summary>
    /// s ← (s − μ) / √(σ² + 1e−8) over the scores of this batch (sample variance).
    /// </summary>
    public static void NormalizeByBatch(Span<double> scores)
    {
        Moments m = Moments.Of(scores);
        double scale = 1 / Math.Sqrt(m.SampleVariance + 1e-8);
        foreach (ref double s in scores) s = (s - m.Mean) * scale;
    }

    /// <summary>s ← exp(s / temperature): large scores count more than proportionally (reward-weighted regression, Peters and Schaal 2007).</summary>
    public static void Exponential(Span<double> scores, double temperature)
    {
        Require.Range(temperature > 0, temperature, "positive");
        foreach (ref double s in scores) s = Math.Exp(LogRatio.Cut(s / temperature));
    }

    /// <summary>s ← s − baseline: the reward of the reference policy's answer to the same prompt.</summary>
    public static void SubtractBaseline(Span<double> scores, ReadOnlySpan<double> baselines)
    {
        Require.Length(baselines.Length, scores.Length, nameof(baselines));
        for (int i = 0; i < scores.Length; i++) scores[i] -= baselines[i];
    }

    /// <summary>s ← s − penalty for every response without an EOS (TRL's <c>missing_eos_penalty</c>).</summary>
    public static void SubtractIfUnfinished(Span<double> scores, ReadOnlySpan<bool> finished, double penalty)
    {
        Require.Length(finished.Length, scores.Length, nameof(finished));
        for (int i = 0; i < scores.Length; i++)
            if (!finished[i]) scores[i] -= penalty;
    }

    /// <summary>s ← s − penalty · max(0, length − free length).</summary>
    public static void SubtractPerTokenBeyond(Span<double> scores, ReadOnlySpan<int> lengths, int freeLength, double penaltyPerToken)
    {
        Require.Length(lengths.Length, scores.Length, nameof(lengths));
        for (int i = 0; i < scores.Length; i++) scores[i] -= penaltyPerToken * Math.Max(0, lengths[i] - freeLength);
    }
}

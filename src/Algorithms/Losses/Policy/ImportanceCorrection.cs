namespace Rlhf.Algorithms;

/// <summary>Over what the weight π_old/π_rollout is taken.</summary>
public enum CorrectionLevel
{
    /// <summary>Each token its own ratio.</summary>
    Token,

    /// <summary>The product over the sequence's trained-on tokens (unbiased, high variance).</summary>
    Sequence,

    /// <summary>The geometric mean over the sequence's trained-on tokens.</summary>
    SequenceGeometricMean,
}

/// <summary>Sums over trained-on tokens; those of micro-batches add up.</summary>
public record struct CorrectionSums
{
    public long Tokens { get; set; }

    /// <summary>Tokens whose weight was cut to the cap.</summary>
    public long Truncated { get; set; }

    /// <summary>Tokens whose weight is 0: outside the band, or a log-prob that is no number.</summary>
    public long Rejected { get; set; }

    /// <summary>Σ of the weights given out.</summary>
    public double WeightSum { get; set; }

    /// <summary>Σ |log π_old − log π_rollout| where finite, nats.</summary>
    public double AbsoluteDifferenceSum { get; set; }

    /// <summary>max |log π_old − log π_rollout| where finite, nats.</summary>
    public double AbsoluteDifferenceMax { get; set; }

    public static CorrectionSums operator +(CorrectionSums a, CorrectionSums b) => new()
    {
        Tokens = a.Tokens + b.Tokens,
        Truncated = a.Truncated + b.Truncated,
        Rejected = a.Rejected + b.Rejected,
        WeightSum = a.WeightSum + b.WeightSum,
        AbsoluteDifferenceSum = a.AbsoluteDifferenceSum + b.AbsoluteDifferenceSum,
        AbsoluteDifferenceMax = Math.Max(a.AbsoluteDifferenceMax, b.AbsoluteDifferenceMax),
    };

    public static CorrectionSums Add(CorrectionSums left, CorrectionSums right) => left + right;
}

/// <summary>
/// Correction of the mismatch between sampler and trainer: the token loss is multiplied by a constant weight from w = π_old/π_rollout.
/// Truncated (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training"): min(w, C).
/// Rejection band (Ant Ling team 2025, "IcePop"): w inside [low, high], 0 outside.
/// Deviation 1: a token whose log-probs are not finite has weight 0 (a sampler's −∞ says the token could not have been drawn); at sequence level
/// it is left out of the product. Deviation 2: log w is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
public sealed class ImportanceCorrection
{
    private readonly CorrectionLevel _level;
    private readonly double _low;
    private readonly double _high;
    private readonly bool _reject;

    private ImportanceCorrection(CorrectionLevel level, double low, double high, bool reject) => (_level, _low, _high, _reject) = (level, low, high, reject);

    /// <summary>min(w, cap); cap = +∞ is the plain importance weight.</summary>
    public static ImportanceCorrection Truncate(CorrectionLevel level, double cap)
    {
        Require.Range(cap > 0, cap, "positive");
        return new ImportanceCorrection(level, 0, cap, reject: false);
    }

    /// <summary>w inside [low, high], 0 outside.</summary>
    public static ImportanceCorrection Reject(CorrectionLevel level, double low, double high)
    {
        Require.Range(low >= 0, low, "at least 0");
        Require.Range(high > low, high, "above low");
        return new ImportanceCorrection(level, low, high, reject: true);
    }

    /// <summary>Fills the multiplier of every token, 0 where not trained on.</summary>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="oldLogProbs">[tokens] the trainer's, before the first update.</param>
    /// <param name="rolloutLogProbs">[tokens] the sampler's.</param>
    /// <param name="corrections">[tokens] written.</param>
    public CorrectionSums Fill(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> oldLogProbs, ReadOnlySpan<double> rolloutLogProbs,
        Span<double> corrections)
    {
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(oldLogProbs.Length, responseMask.Length, nameof(oldLogProbs));
        Require.Length(rolloutLogProbs.Length, responseMask.Length, nameof(rolloutLogProbs));
        Require.Length(corrections.Length, responseMask.Length, nameof(corrections));
        CorrectionSums sums = default;
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            double sequence = 0;
            int finite = 0;
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
            {
                corrections[t] = 0;
                if (!responseMask[t]) continue;
                sums.Tokens++;
                double d = oldLogProbs[t] - rolloutLogProbs[t];
                corrections[t] = d; // kept here until the sequence is known
                if (!double.IsFinite(d)) continue;
                finite++;
                sequence += d;
                sums.AbsoluteDifferenceSum += Math.Abs(d);
                sums.AbsoluteDifferenceMax = Math.Max(sums.AbsoluteDifferenceMax, Math.Abs(d));
            }

            if (_level == CorrectionLevel.SequenceGeometricMean && finite > 0) sequence /= finite;
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
                if (responseMask[t]) corrections[t] = Weight(corrections[t], _level == CorrectionLevel.Token ? corrections[t] : sequence, ref sums);
        }

        return sums;
    }

    private double Weight(double own, double logWeight, ref CorrectionSums sums)
    {
        double weight = double.IsFinite(own) ? Math.Exp(LogRatio.Cut(logWeight)) : 0;
        bool rejected = !double.IsFinite(own) || (_reject && (weight < _low || weight > _high));
        if (rejected)
        {
            sums.Rejected++;
            return 0;
        }

        if (weight > _high)
        {
            sums.Truncated++;
            weight = _high;
        }

        sums.WeightSum += weight;
        return weight;
    }
}

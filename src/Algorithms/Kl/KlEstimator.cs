namespace Rlhf.Algorithms;

/// <summary>A per-token estimate of KL(π‖π_ref) from one sample of π.</summary>
public enum KlEstimator
{
    /// <summary>log π − log π_ref: unbiased, may be negative.</summary>
    K1,

    /// <summary>½ (log π − log π_ref)²: biased, low variance; its gradient is the one that is right inside a loss.</summary>
    K2,

    /// <summary>π_ref/π − 1 − log(π_ref/π): unbiased, never negative.</summary>
    K3,

    /// <summary>|log π − log π_ref|.</summary>
    Absolute,
}

/// <summary>
/// k1, k2, k3 of Schulman 2020, "Approximating KL divergence". With d = log π − log π_ref:
/// k1 = d,  k2 = d²/2,  k3 = exp(−d) − 1 + d.
/// Deviation 1: k3 takes d cut to ±<see cref="LogRatio.Limit"/>, so that one broken token cannot overflow.
/// </summary>
public static class KlEstimators
{
    /// <summary>The estimate in nats.</summary>
    public static double Estimate(KlEstimator estimator, double logProb, double referenceLogProb)
    {
        double d = logProb - referenceLogProb;
        switch (estimator)
        {
            case KlEstimator.K1: return d;
            case KlEstimator.K2: return 0.5 * d * d;
            case KlEstimator.Absolute: return Math.Abs(d);
            case KlEstimator.K3:
                double cut = LogRatio.Cut(d);
                return Math.Exp(-cut) - 1 + cut;
            default: throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "unknown KL estimator");
        }
    }

    /// <summary>∂ estimate / ∂ log π.</summary>
    public static double Gradient(KlEstimator estimator, double logProb, double referenceLogProb)
    {
        double d = logProb - referenceLogProb;
        return estimator switch
        {
            KlEstimator.K1 => 1,
            KlEstimator.K2 => d,
            KlEstimator.Absolute => Math.Sign(d),
            KlEstimator.K3 => LogRatio.IsCut(d) ? 0 : 1 - Math.Exp(-d),
            _ => throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "unknown KL estimator"),
        };
    }
}

namespace Rlhf.Algorithms;

/// <summary>Sums over trained-on tokens; those of micro-batches add up to those of the batch.</summary>
public record struct PolicyLossSums
{
    /// <summary>L: already weighted by the global weights, so it adds up.</summary>
    public double Loss { get; set; }

    /// <summary>Trained-on tokens.</summary>
    public long Tokens { get; set; }

    /// <summary>Tokens at which the clip took effect, above its upper (below its lower) bound.</summary>
    public long ClippedHigh { get; set; }

    /// <inheritdoc cref="ClippedHigh"/>
    public long ClippedLow { get; set; }

    /// <summary>Tokens held by the dual clip.</summary>
    public long DualClipped { get; set; }

    /// <summary>Σ π/π_old.</summary>
    public double RatioSum { get; set; }

    /// <summary>max π/π_old; 0 for no token.</summary>
    public double RatioMax { get; set; }

    /// <summary>max |π/π_old − 1|: 0 before the first update.</summary>
    public double RatioDeviationMax { get; set; }

    /// <summary>Σ (ratio − 1 − log ratio): k3 of KL(π_old‖π), nats.</summary>
    public double K3Sum { get; set; }

    /// <summary>Share of tokens at which a clip took effect.</summary>
    public readonly double ClipFraction => Mean(ClippedHigh + ClippedLow + DualClipped);

    /// <summary>Mean ratio.</summary>
    public readonly double RatioMean => Mean(RatioSum);

    /// <summary>Mean k3, nats per token.</summary>
    public readonly double ApproximateKlK3 => Mean(K3Sum);

    internal void Observe(double logRatio)
    {
        double cut = LogRatio.Cut(logRatio), ratio = Math.Exp(cut);
        Tokens++;
        RatioSum += ratio;
        RatioMax = Math.Max(RatioMax, ratio);
        RatioDeviationMax = Math.Max(RatioDeviationMax, Math.Abs(ratio - 1));
        K3Sum += ratio - 1 - cut;
    }

    public static PolicyLossSums operator +(PolicyLossSums a, PolicyLossSums b) => new()
    {
        Loss = a.Loss + b.Loss,
        Tokens = a.Tokens + b.Tokens,
        ClippedHigh = a.ClippedHigh + b.ClippedHigh,
        ClippedLow = a.ClippedLow + b.ClippedLow,
        DualClipped = a.DualClipped + b.DualClipped,
        RatioSum = a.RatioSum + b.RatioSum,
        RatioMax = Math.Max(a.RatioMax, b.RatioMax),
        RatioDeviationMax = Math.Max(a.RatioDeviationMax, b.RatioDeviationMax),
        K3Sum = a.K3Sum + b.K3Sum,
    };

    public static PolicyLossSums Add(PolicyLossSums left, PolicyLossSums right) => left + right;

    private readonly double Mean(double sum) => Tokens == 0 ? 0 : sum / Tokens;
}

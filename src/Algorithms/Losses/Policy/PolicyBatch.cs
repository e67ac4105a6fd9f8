namespace Rlhf.Algorithms;

/// <summary>
/// What a policy loss reads: flat columns over the response tokens of a (micro-)batch. Where <see cref="ResponseMask"/> is false nothing is
/// read, whatever stands there.
/// </summary>
public readonly ref struct PolicyBatch
{
    /// <summary>[sequences + 1].</summary>
    public required ReadOnlySpan<int> Offsets { get; init; }

    /// <summary>[tokens] true = trained on.</summary>
    public required ReadOnlySpan<bool> ResponseMask { get; init; }

    /// <summary>[tokens] nats: log π of the weights being trained. The gradient is with respect to these.</summary>
    public required ReadOnlySpan<double> LogProbs { get; init; }

    /// <summary>[tokens] nats: log π_old, re-scored by the trainer before the first update.</summary>
    public required ReadOnlySpan<double> OldLogProbs { get; init; }

    /// <summary>[tokens].</summary>
    public required ReadOnlySpan<double> Advantages { get; init; }

    /// <summary>[tokens] of <see cref="AggregationWeights.Fill"/>, from global counts.</summary>
    public required ReadOnlySpan<double> Weights { get; init; }

    /// <summary>[tokens] constant multipliers of the token losses (<see cref="ImportanceCorrection"/>), or empty: 1.</summary>
    public ReadOnlySpan<double> Corrections { get; init; }

    /// <summary>Tokens.</summary>
    public int Count => ResponseMask.Length;

    internal double Correction(int t) => Corrections.IsEmpty ? 1 : Corrections[t];

    internal void Check(int gradientLength)
    {
        int n = Count;
        Require.Ragged(Offsets, n);
        Require.Length(LogProbs.Length, n, nameof(LogProbs));
        Require.Length(OldLogProbs.Length, n, nameof(OldLogProbs));
        Require.Length(Advantages.Length, n, nameof(Advantages));
        Require.Length(Weights.Length, n, nameof(Weights));
        Require.EmptyOrLength(Corrections.Length, n, nameof(Corrections));
        Require.Length(gradientLength, n, "gradient");
    }
}

namespace Rlhf.Algorithms;

/// <summary>How the token losses of a batch become one number: L = Σ_t w_t ℓ_t over trained-on tokens.</summary>
public enum LossAggregation
{
    /// <summary>w_t = 1 / (trained tokens of the batch). PPO, DAPO ("token-level loss").</summary>
    TokenMean,

    /// <summary>w_t = 1 / (sequences · trained tokens of t's sequence). GRPO, GSPO.</summary>
    MeanOfSequenceMeans,

    /// <summary>w_t = 1 / sequences. The policy-gradient theorem's own weighting.</summary>
    MeanOfSequenceSums,

    /// <summary>w_t = 1 / (sequences · constant length). Dr.GRPO.</summary>
    ConstantLength,
}

/// <summary>What the weights of a batch are made of; counts of micro-batches (or ranks) add up.</summary>
/// <param name="Tokens">Trained-on tokens.</param>
/// <param name="Sequences">Sequences with at least one trained-on token.</param>
public readonly record struct AggregationCounts(long Tokens, long Sequences)
{
    public static AggregationCounts operator +(AggregationCounts a, AggregationCounts b) => new(a.Tokens + b.Tokens, a.Sequences + b.Sequences);

    public static AggregationCounts Add(AggregationCounts left, AggregationCounts right) => left + right;
}

/// <summary>
/// Aggregation weights from <em>global</em> counts, so that the losses of micro-batches add up to the loss of the whole batch,
/// however it was cut.
/// Deviation 1: a sequence without a trained-on token is no sequence; it is counted nowhere (others divide by the row count).
/// </summary>
public static class AggregationWeights
{
    /// <summary>The counts of one (micro-)batch.</summary>
    public static AggregationCounts Count(ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask)
    {
        Require.Ragged(offsets, responseMask.Length);
        long tokens = 0, sequences = 0;
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            int trained = RaggedOffsets.TrainedTokens(responseMask[offsets[i]..offsets[i + 1]]);
            tokens += trained;
            if (trained > 0) sequences++;
        }

        return new AggregationCounts(tokens, sequences);
    }

    /// <summary>Fills the weight of every token; 0 where it is not trained on.</summary>
    /// <param name="aggregation">Which weighting.</param>
    /// <param name="global">Counts of the whole optimiser step: the sum of <see cref="Count"/> over its micro-batches.</param>
    /// <param name="offsets">[sequences + 1] of this micro-batch. A sequence is never cut between micro-batches.</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="weights">[tokens] written.</param>
    /// <param name="constantLength">Tokens; the length of <see cref="LossAggregation.ConstantLength"/>, unused otherwise.</param>
    public static void Fill(
        LossAggregation aggregation, AggregationCounts global, ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask,
        Span<double> weights, int constantLength = 0)
    {
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(weights.Length, responseMask.Length, nameof(weights));
        if (aggregation == LossAggregation.ConstantLength) Require.Range(constantLength > 0, constantLength, "positive");
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            Range tokens = offsets[i]..offsets[i + 1];
            int trained = RaggedOffsets.TrainedTokens(responseMask[tokens]);
            double weight = trained == 0 ? 0 : aggregation switch
            {
                LossAggregation.TokenMean => 1.0 / global.Tokens,
                LossAggregation.MeanOfSequenceMeans => 1.0 / ((double)global.Sequences * trained),
                LossAggregation.MeanOfSequenceSums => 1.0 / global.Sequences,
                LossAggregation.ConstantLength => 1.0 / ((double)global.Sequences * constantLength),
                _ => throw new ArgumentOutOfRangeException(nameof(aggregation), aggregation, "unknown aggregation"),
            };
            for (int t = offsets[i]; t < offsets[i + 1]; t++) weights[t] = responseMask[t] ? weight : 0;
        }
    }
}

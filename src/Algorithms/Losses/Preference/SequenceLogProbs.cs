namespace Rlhf.Algorithms;

/// <summary>What a preference loss takes of a sequence's token log-probs.</summary>
public enum SequenceReduction
{
    /// <summary>log π(y|x) = Σ_t log π_t.</summary>
    Sum,

    /// <summary>Σ_t log π_t / |y|.</summary>
    Mean,
}

/// <summary>
/// From token log-probs to one number a sequence and, for the gradient, back. Only trained-on tokens count; a sequence without any has 0.
/// </summary>
public static class SequenceLogProbs
{
    /// <summary>Fills the sum or mean of every sequence.</summary>
    /// <param name="reduction">Sum or mean.</param>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="logProbs">[tokens] nats.</param>
    /// <param name="perSequence">[sequences] written.</param>
    public static void Reduce(
        SequenceReduction reduction, ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> logProbs,
        Span<double> perSequence)
    {
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(logProbs.Length, responseMask.Length, nameof(logProbs));
        Require.Length(perSequence.Length, RaggedOffsets.SequenceCount(offsets), nameof(perSequence));
        for (int i = 0; i < perSequence.Length; i++)
        {
            double sum = 0;
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
                if (responseMask[t]) sum += logProbs[t];
            perSequence[i] = sum * Factor(reduction, responseMask[offsets[i]..offsets[i + 1]]);
        }
    }

    /// <summary>∂L/∂log π_t = ∂L/∂(sum) or ∂L/∂(mean) / |y| on trained-on tokens, 0 elsewhere.</summary>
    /// <param name="reduction">As in <see cref="Reduce"/>.</param>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="perSequence">[sequences] gradient of the loss.</param>
    /// <param name="gradient">[tokens] written.</param>
    public static void SpreadGradient(
        SequenceReduction reduction, ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> perSequence,
        Span<double> gradient)
    {
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(perSequence.Length, RaggedOffsets.SequenceCount(offsets), nameof(perSequence));
        Require.Length(gradient.Length, responseMask.Length, nameof(gradient));
        for (int i = 0; i < perSequence.Length; i++)
        {
            double each = perSequence[i] * Factor(reduction, responseMask[offsets[i]..offsets[i + 1]]);
            for (int t = offsets[i]; t < offsets[i + 1]; t++) gradient[t] = responseMask[t] ? each : 0;
        }
    }

    private static double Factor(SequenceReduction reduction, ReadOnlySpan<bool> mask) =>
        reduction == SequenceReduction.Sum ? 1 : 1.0 / Math.Max(1, RaggedOffsets.TrainedTokens(mask));
}

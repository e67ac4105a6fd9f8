namespace Rlhf.Algorithms;

/// <summary>
/// Ragged data: flat columns over tokens, and <c>offsets</c> [sequences + 1] with offsets[0] = 0; sequence i owns the tokens
/// offsets[i] .. offsets[i + 1] − 1. Nothing is padded, so the last real token of sequence i is offsets[i + 1] − 1.
/// </summary>
public static class RaggedOffsets
{
    /// <summary>[sequences + 1] running sums of <paramref name="lengths"/>, starting at 0.</summary>
    public static int[] FromLengths(ReadOnlySpan<int> lengths)
    {
        int[] offsets = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(lengths[i], nameof(lengths));
            offsets[i + 1] = checked(offsets[i] + lengths[i]);
        }

        return offsets;
    }

    /// <summary>Sequences, empty ones included.</summary>
    public static int SequenceCount(ReadOnlySpan<int> offsets) => Math.Max(0, offsets.Length - 1);

    /// <summary>Trained-on tokens among <paramref name="responseMask"/>.</summary>
    public static int TrainedTokens(ReadOnlySpan<bool> responseMask)
    {
        int count = 0;
        foreach (bool trained in responseMask) count += trained ? 1 : 0;
        return count;
    }

    /// <summary>Gives every trained-on token its sequence's number, 0 elsewhere.</summary>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="perSequence">[sequences].</param>
    /// <param name="perToken">[tokens] written.</param>
    public static void Spread(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> perSequence, Span<double> perToken)
    {
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(perSequence.Length, SequenceCount(offsets), nameof(perSequence));
        Require.Length(perToken.Length, responseMask.Length, nameof(perToken));
        for (int i = 0; i < perSequence.Length; i++)
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
                perToken[t] = responseMask[t] ? perSequence[i] : 0;
    }
}

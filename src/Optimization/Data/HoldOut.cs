using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Which rows are held out: whole blocks of neighbouring rows, chosen by address. Data sets often keep texts on one subject side by
/// side (reviews of one film); a row-wise split would leak them into training.
/// </summary>
public static class HoldOut
{
    /// <summary>Neighbouring rows that share one fate.</summary>
    public const int BlockRows = 50;

    public static bool Contains(long row, double fraction, ulong seed) =>
        AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, 0x401D, (uint)(row / BlockRows)) < fraction;
}

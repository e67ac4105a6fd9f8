using System.Runtime.CompilerServices;

namespace Rlhf.Algorithms;

/// <summary>Shape checks at the entrance of a function: a caller's mistake, so <see cref="ArgumentException"/>.</summary>
internal static class Require
{
    public static void Length(int found, int expected, string name)
    {
        if (found != expected) Throw($"{name} has {found} elements; it must have {expected}, one for each entry of the batch.", name);
    }

    /// <summary>An optional span: empty, or of the given length.</summary>
    public static void EmptyOrLength(int found, int expected, string name)
    {
        if (found != 0) Length(found, expected, name);
    }

    public static void Ragged(ReadOnlySpan<int> offsets, int tokens)
    {
        if (offsets.IsEmpty || offsets[0] != 0 || offsets[^1] != tokens)
        {
            string found = offsets.IsEmpty ? "no entries" : $"first entry {offsets[0]}, last entry {offsets[^1]}";
            Throw($"offsets has {found}; it must run from 0 to the {tokens} tokens of the batch.", nameof(offsets));
        }

        for (int i = 1; i < offsets.Length; i++)
            if (offsets[i] < offsets[i - 1]) Throw($"offsets falls from {offsets[i - 1]} to {offsets[i]} at entry {i}; it must not fall.", nameof(offsets));
    }

    public static void Range(bool ok, double found, string expected, [CallerArgumentExpression(nameof(found))] string name = "")
    {
        if (!ok) throw new ArgumentOutOfRangeException(name, found, $"{name} is {found}; it must be {expected}.");
    }

    private static void Throw(string message, string name) => throw new ArgumentException(message, name);
}

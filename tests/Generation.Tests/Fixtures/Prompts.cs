using Rlhf.Core;

namespace Rlhf.Generation.Tests;

/// <summary>Prompts of random tokens at an address, BOS first.</summary>
internal static class Prompts
{
    public static List<Prompt> Mixed(int count, int shortest, int longest, int vocabulary, ulong seed = 5) =>
        [.. Enumerable.Range(0, count).Select(i => OfLength(i, shortest + (int)(AddressedRandom.Bits(seed, AddressedRandom.Stream.Probe, (uint)i) % (ulong)(longest - shortest + 1)), vocabulary, seed))];

    public static Prompt OfLength(int index, int length, int vocabulary, ulong seed = 5) => new()
    {
        Id = $"p{index}",
        Text = "",
        Tokens = [1, .. Enumerable.Range(1, length - 1).Select(j => 3 + (int)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Probe, (uint)index, 1, (uint)j) * (vocabulary - 3)))],
    };
}

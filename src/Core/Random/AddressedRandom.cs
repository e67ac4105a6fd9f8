using System.Numerics;
using System.Text;

namespace Rlhf.Core;

/// <summary>
/// Random numbers by address: a pure function of (seed, stream, a, b, c), so a number never depends on the batch it was drawn in,
/// on the order of work or on what was drawn before. Counter-based Philox4x32-10 (Salmon et al., SC'11, "Parallel random numbers:
/// as easy as 1, 2, 3").
/// </summary>
public static class AddressedRandom
{
    /// <summary>Separates independent uses of the same run seed.</summary>
    public enum Stream : uint { Sampling = 1, Shuffle = 2, Initialisation = 3, Probe = 4, Augmentation = 5, Data = 6 }

    /// <summary>64 random bits at the address.</summary>
    public static ulong Bits(ulong seed, Stream stream, uint a, uint b = 0, uint c = 0)
    {
        uint c0 = c, c1 = b, c2 = a, c3 = (uint)stream;
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = 0xD2511F53UL * c0, p1 = 0xCD9E8D57UL * c2;
            uint n0 = (uint)(p1 >> 32) ^ c1 ^ k0, n2 = (uint)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint)p1;
            c3 = (uint)p0;
            c0 = n0;
            c2 = n2;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        return ((ulong)c1 << 32) | c0;
    }

    /// <summary>Uniform in the open interval (0, 1), 53 bits.</summary>
    public static double Uniform(ulong seed, Stream stream, uint a, uint b = 0, uint c = 0) => ToUnit(Bits(seed, stream, a, b, c));

    /// <summary>
    /// The uniform that draws one token. <paramref name="promptKey"/> comes from <see cref="Key"/> of the prompt's id; the iteration is
    /// folded into the key so that the address is (run seed, iteration, prompt, sample, position).
    /// </summary>
    public static double SamplingUniform(ulong runSeed, int iteration, ulong promptKey, int sample, int position) =>
        ToUnit(SamplingBits(runSeed, iteration, promptKey, sample, position));

    /// <summary>The 64 bits behind <see cref="SamplingUniform"/>, for samplers that need more than one number a token.</summary>
    public static ulong SamplingBits(ulong runSeed, int iteration, ulong promptKey, int sample, int position) =>
        Bits(runSeed ^ BitOperations.RotateLeft(promptKey, 17), Stream.Sampling, (uint)iteration, (uint)sample, (uint)position);

    /// <summary>FNV-1a 64 of the UTF-8 text: a stable key for a prompt id or a parameter name.</summary>
    public static ulong Key(string text)
    {
        ulong hash = 14695981039346656037UL;
        foreach (byte b in Encoding.UTF8.GetBytes(text)) hash = (hash ^ b) * 1099511628211UL;
        return hash;
    }

    /// <summary>A standard normal number at the address (Box–Muller).</summary>
    public static double Normal(ulong seed, Stream stream, uint a, uint b = 0, uint c = 0)
    {
        double u = Uniform(seed, stream, a, b, 2 * c), v = Uniform(seed, stream, a, b, (2 * c) + 1);
        return Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v);
    }

    /// <summary>A permutation of 0..n−1 at the address (Fisher–Yates).</summary>
    public static int[] Permutation(int n, ulong seed, uint a, uint b = 0)
    {
        int[] order = [.. Enumerable.Range(0, n)];
        for (int i = n - 1; i > 0; i--)
        {
            int j = (int)(Bits(seed, Stream.Shuffle, a, b, (uint)i) % (ulong)(i + 1));
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private static double ToUnit(ulong bits) => ((bits >> 11) + 0.5) * (1.0 / (1UL << 53));
}

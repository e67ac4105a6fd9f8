namespace Rlhf.Algorithms.Tests;

/// <summary>SplitMix64: the same numbers on every platform and runtime.</summary>
public sealed class TestRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Bits()
    {
        ulong z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    public double Uniform() => ((Bits() >> 11) + 0.5) / (1UL << 53);

    public double Uniform(double low, double high) => low + ((high - low) * Uniform());

    public int Below(int n) => (int)(Bits() % (ulong)n);

    public double Normal() => Math.Sqrt(-2 * Math.Log(Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    public double[] Normals(int n, double scale = 1) => [.. Enumerable.Range(0, n).Select(_ => scale * Normal())];
}

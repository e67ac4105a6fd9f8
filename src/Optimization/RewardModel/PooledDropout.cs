using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Dropout of the pooled states by address: which numbers are dropped is a pure function of (seed, epoch, text), so a training is the same however
/// it is cut into micro-batches and wherever it was stopped and gone on with.
/// </summary>
internal static class PooledDropout
{
    // Apart from the draws of RewardAugmentation at the same (epoch, text).
    private const uint FirstDraw = 1u << 31;

    /// <summary>0 or 1 / (1 − p) for every number of the pooled states.</summary>
    /// <param name="probability">p.</param>
    /// <param name="seed">The training's.</param>
    /// <param name="epoch">Part of the address.</param>
    /// <param name="texts">[texts] addresses, of <see cref="Address"/>.</param>
    /// <param name="width">Numbers of one pooled state.</param>
    /// <returns>[texts · width]</returns>
    public static float[] Factors(double probability, ulong seed, uint epoch, uint[] texts, int width)
    {
        float[] factors = new float[texts.Length * width];
        float kept = (float)(1 / (1 - probability));
        for (int t = 0; t < texts.Length; t++)
        {
            for (int i = 0; i < width; i++)
                factors[(t * width) + i] = AddressedRandom.Uniform(seed, AddressedRandom.Stream.Augmentation, epoch, texts[t], FirstDraw + (uint)i) < probability ? 0 : kept;
        }

        return factors;
    }

    /// <summary>The address of a text (or a step) of a row.</summary>
    public static uint Address(long row, int text) => unchecked((uint)((row * 31) + text));
}

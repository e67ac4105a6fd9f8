using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>
/// Causal grouped-query attention on the CPU that never stores the [time, time] weights: the forward pass keeps one log-sum-exp per row, the
/// backward pass computes the weights again from it (Dao 2023, "FlashAttention-2"). Works directly on the [batch · time, heads · headDim]
/// layout that the projections write, looks only at the lower triangle, and repeats no key or value. Queries come in scaled by 1/√headDim.
/// </summary>
internal sealed unsafe class CausalAttention(int batch, int time, int heads, int keyHeads, int size)
{
    /// <summary>Rows that go through the softmax together; the triangle is cut in squares of this size.</summary>
    private const int Block = 16;

    private readonly int _padded = (time + Block - 1) / Block * Block;
    private readonly int _group = heads / keyHeads;
    private readonly long _queryWidth = (long)heads * size;
    private readonly long _keyWidth = (long)keyHeads * size;

    /// <summary>True: the kernels can compute heads of this size.</summary>
    public static bool Supports(int headDim) => headDim % 8 == 0;

    /// <summary>Σⱼ softmax(q·kᵀ)ⱼ vⱼ.</summary>
    /// <param name="query">[batch · time, heads · size], rotated and scaled.</param>
    /// <param name="key">[batch · time, keyHeads · size], rotated.</param>
    /// <param name="value">As key.</param>
    /// <param name="mixed">As query: the result.</param>
    /// <param name="logSum">[batch, heads, time]: for the backward pass.</param>
    public void Forward(float* query, float* key, float* value, float* mixed, float* logSum) => CpuParallel.For(batch * keyHeads, (from, to) =>
    {
        float* scratch = Scratch((size + Block) * (long)_padded);
        float* transposed = scratch, weights = scratch + ((long)size * _padded);
        for (int unit = from; unit < to; unit++)
        {
            int row = unit / keyHeads, keyHead = unit % keyHeads;
            float* v = value + (row * time * _keyWidth) + (keyHead * size);
            Transpose(key + (row * time * _keyWidth) + (keyHead * size), transposed);
            for (int head = keyHead * _group; head < (keyHead + 1) * _group; head++)
            {
                float* q = query + (row * time * _queryWidth) + (head * size);
                float* o = mixed + (row * time * _queryWidth) + (head * size);
                float* sums = logSum + ((((long)row * heads) + head) * time);
                for (int first = 0; first < time; first += Block)
                {
                    int rows = Math.Min(Block, time - first), columns = first + Block;
                    SmallGemm.Multiply(q + (first * _queryWidth), _queryWidth, 1, transposed, _padded, weights, _padded, rows, columns, size, add: false);
                    for (int i = 0; i < rows; i++) sums[first + i] = Softmax(weights + ((long)i * _padded), first + i + 1, columns);
                    SmallGemm.Multiply(weights, _padded, 1, v, _keyWidth, o + (first * _queryWidth), _queryWidth, rows, size, first + rows, add: false);
                }
            }
        }

        NativeMemory.AlignedFree(scratch);
    });

    /// <summary>Gradients with respect to query, key and value, in their layouts. Overwrites what they held.</summary>
    /// <param name="query">As in <see cref="Forward"/>.</param>
    /// <param name="key">As in <see cref="Forward"/>.</param>
    /// <param name="value">As in <see cref="Forward"/>.</param>
    /// <param name="logSum">What <see cref="Forward"/> wrote.</param>
    /// <param name="mixedGradient">∂L/∂mixed.</param>
    /// <param name="queryGradient">∂L/∂query.</param>
    /// <param name="keyGradient">∂L/∂key.</param>
    /// <param name="valueGradient">∂L/∂value.</param>
    public void Backward(
        float* query, float* key, float* value, float* logSum, float* mixedGradient, float* queryGradient, float* keyGradient, float* valueGradient)
        => CpuParallel.For(batch * keyHeads, (from, to) =>
    {
        long square = (long)_padded * _padded;
        float* scratch = Scratch((2 * square) + (2L * size * _padded));
        float* p = scratch, d = scratch + square, keyTransposed = d + square, valueTransposed = keyTransposed + ((long)size * _padded);
        for (int unit = from; unit < to; unit++)
        {
            int row = unit / keyHeads, keyHead = unit % keyHeads;
            long keyAt = (row * time * _keyWidth) + (keyHead * size);
            Transpose(key + keyAt, keyTransposed);
            Transpose(value + keyAt, valueTransposed);
            for (int g = 0; g < _group; g++)
            {
                int head = (keyHead * _group) + g;
                long queryAt = (row * time * _queryWidth) + (head * size);
                float* q = query + queryAt, o = mixedGradient + queryAt, sums = logSum + ((((long)row * heads) + head) * time);
                for (int first = 0; first < time; first += Block)
                {
                    int rows = Math.Min(Block, time - first), columns = first + Block;
                    float* pRows = p + ((long)first * _padded), dRows = d + ((long)first * _padded);
                    SmallGemm.Multiply(q + (first * _queryWidth), _queryWidth, 1, keyTransposed, _padded, pRows, _padded, rows, columns, size, add: false);
                    SmallGemm.Multiply(o + (first * _queryWidth), _queryWidth, 1, valueTransposed, _padded, dRows, _padded, rows, columns, size, add: false);
                    for (int i = 0; i < rows; i++)
                        SoftmaxBackward(pRows + ((long)i * _padded), dRows + ((long)i * _padded), sums[first + i], first + i + 1, columns);
                    SmallGemm.Multiply(dRows, _padded, 1, key + keyAt, _keyWidth, queryGradient + queryAt + (first * _queryWidth), _queryWidth, rows, size, first + rows, add: false);
                }

                for (int first = 0; first < time; first += Block)
                {
                    int rows = Math.Min(Block, time - first), below = time - first; // only rows i ≥ j see column j
                    long corner = ((long)first * _padded) + first, out0 = keyAt + (first * _keyWidth), in0 = first * _queryWidth;
                    SmallGemm.Multiply(p + corner, 1, _padded, o + in0, _queryWidth, valueGradient + out0, _keyWidth, rows, size, below, add: g > 0);
                    SmallGemm.Multiply(d + corner, 1, _padded, q + in0, _queryWidth, keyGradient + out0, _keyWidth, rows, size, below, add: g > 0);
                }
            }
        }

        NativeMemory.AlignedFree(scratch);
    });

    private static float* Scratch(long count) => (float*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(float)), 64);

    /// <summary>[time rows of size] to [size, padded]; the padding is zero.</summary>
    private void Transpose(float* source, float* target)
    {
        for (int d = 0; d < size; d++)
        {
            float* line = target + ((long)d * _padded);
            for (int t = 0; t < time; t++) line[t] = source[(t * _keyWidth) + d];
            for (int t = time; t < _padded; t++) line[t] = 0;
        }
    }

    /// <summary>Softmax of the first <paramref name="count"/> in place, zeros up to <paramref name="columns"/> (a multiple of 16). Returns log Σ eˣ.</summary>
    private static float Softmax(float* x, int count, int columns)
    {
        Mask(x, count, columns, float.NegativeInfinity);
        Vector256<float> largest = Vector256.Load(x);
        for (int j = 8; j < columns; j += 8) largest = Vector256.Max(largest, Vector256.Load(x + j));
        float max = largest[0];
        for (int l = 1; l < 8; l++) max = Math.Max(max, largest[l]);
        Vector256<float> shift = Vector256.Create(max), total = default;
        Mask(x, count, columns, max - 80); // keeps −∞ out of the arithmetic below; its share is set to zero there
        for (int j = 0; j < columns; j += 8)
        {
            Vector256<float> e = VectorMath.Exp(Vector256.Load(x + j) - shift);
            e.Store(x + j);
            if (j + 8 <= count) total += e;
        }

        Mask(x, count, columns, 0);
        int whole = count / 8 * 8;
        float sum = Vector256.Sum(total);
        for (int j = whole; j < count; j++) sum += x[j];
        Vector256<float> scale = Vector256.Create(1 / sum);
        for (int j = 0; j < columns; j += 8) (Vector256.Load(x + j) * scale).Store(x + j);
        return max + MathF.Log(sum);
    }

    /// <summary>p from scores to weights, d from ∂L/∂weights to ∂L/∂scores = p∘(d − Σ p·d); zeros past <paramref name="count"/>.</summary>
    private static void SoftmaxBackward(float* p, float* d, float logSum, int count, int columns)
    {
        Mask(p, count, columns, logSum - 80);
        Vector256<float> shift = Vector256.Create(logSum), dot = default;
        for (int j = 0; j < columns; j += 8) VectorMath.Exp(Vector256.Load(p + j) - shift).Store(p + j);
        Mask(p, count, columns, 0);
        for (int j = 0; j < columns; j += 8) dot = Vector256.MultiplyAddEstimate(Vector256.Load(p + j), Vector256.Load(d + j), dot);
        Vector256<float> mean = Vector256.Create(Vector256.Sum(dot));
        for (int j = 0; j < columns; j += 8) (Vector256.Load(p + j) * (Vector256.Load(d + j) - mean)).Store(d + j);
    }

    private static void Mask(float* x, int count, int columns, float value)
    {
        for (int j = count; j < columns; j++) x[j] = value;
    }
}

using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>y = x·r∘w with r = 1/√(mean(x²) + ε), one pass over the rows each way (Zhang &amp; Sennrich 2019).</summary>
internal static unsafe class RmsNormKernel
{
    /// <summary>Rows whose gain gradients are summed together; fixed, so that the sum does not depend on the number of threads.</summary>
    private const int ChunkRows = 256;

    /// <param name="x">[rows, width], width a multiple of 8.</param>
    /// <param name="gain">[width] w.</param>
    /// <param name="y">[rows, width] the result; may be x.</param>
    /// <param name="inverse">[rows] r, for the backward pass.</param>
    /// <param name="rows">How many.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="epsilon">ε.</param>
    public static void Forward(float* x, float* gain, float* y, float* inverse, int rows, int width, double epsilon) => CpuParallel.For(rows, (from, to) =>
    {
        for (int i = from; i < to; i++)
        {
            float* source = x + ((long)i * width), target = y + ((long)i * width);
            Vector256<float> squares = default;
            for (int j = 0; j < width; j += 8)
            {
                Vector256<float> v = Vector256.Load(source + j);
                squares = Vector256.MultiplyAddEstimate(v, v, squares);
            }

            float r = (float)(1 / Math.Sqrt((Vector256.Sum(squares) / (double)width) + epsilon));
            inverse[i] = r;
            Vector256<float> scale = Vector256.Create(r);
            for (int j = 0; j < width; j += 8) (Vector256.Load(source + j) * scale * Vector256.Load(gain + j)).Store(target + j);
        }
    });

    /// <summary>∂L/∂x = r(w∘g − x·r²·mean(w∘g∘x)), ∂L/∂w += Σ g∘x·r.</summary>
    /// <param name="x">As in <see cref="Forward"/>.</param>
    /// <param name="gain">As in <see cref="Forward"/>.</param>
    /// <param name="inverse">What <see cref="Forward"/> wrote.</param>
    /// <param name="gradient">[rows, width] ∂L/∂y.</param>
    /// <param name="xGradient">[rows, width]</param>
    /// <param name="gainGradient">[width], added to.</param>
    /// <param name="rows">How many.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="add">True: adds to <paramref name="xGradient"/> (the residual stream's own gradient).</param>
    public static void Backward(
        float* x, float* gain, float* inverse, float* gradient, float* xGradient, float* gainGradient, int rows, int width, bool add)
    {
        int chunks = (rows + ChunkRows - 1) / ChunkRows;
        float[] partial = new float[(long)chunks * width];
        fixed (float* sums = partial)
        {
            float* first = sums;
            CpuParallel.For(chunks, (from, to) =>
            {
                for (int chunk = from; chunk < to; chunk++)
                {
                    int end = Math.Min(rows, (chunk + 1) * ChunkRows);
                    for (int i = chunk * ChunkRows; i < end; i++)
                        Row(x + ((long)i * width), gain, inverse[i], gradient + ((long)i * width), xGradient + ((long)i * width), first + ((long)chunk * width), width, add);
                }
            });
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                for (int j = 0; j < width; j += 8) (Vector256.Load(gainGradient + j) + Vector256.Load(first + ((long)chunk * width) + j)).Store(gainGradient + j);
            }
        }
    }

    private static void Row(float* x, float* gain, float r, float* gradient, float* xGradient, float* gainSum, int width, bool add)
    {
        Vector256<float> dot = default, scale = Vector256.Create(r);
        for (int j = 0; j < width; j += 8)
        {
            Vector256<float> gx = Vector256.Load(gradient + j) * Vector256.Load(x + j);
            dot = Vector256.MultiplyAddEstimate(gx, Vector256.Load(gain + j), dot);
            Vector256.MultiplyAddEstimate(gx, scale, Vector256.Load(gainSum + j)).Store(gainSum + j);
        }

        Vector256<float> back = Vector256.Create(-r * r * r * Vector256.Sum(dot) / width);
        for (int j = 0; j < width; j += 8)
        {
            Vector256<float> g = Vector256.Load(gradient + j) * Vector256.Load(gain + j) * scale;
            g = Vector256.MultiplyAddEstimate(Vector256.Load(x + j), back, g);
            (add ? Vector256.Load(xGradient + j) + g : g).Store(xGradient + j);
        }
    }
}

using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>Turns the pairs (i, i + headDim/2) of every head in place, and scales. headDim is a multiple of 8.</summary>
internal static unsafe class RotaryKernel
{
    /// <param name="x">[rows, heads · size]; row r is at position r mod time.</param>
    /// <param name="cosine">[time, size / 2]</param>
    /// <param name="sine">[time, size / 2]</param>
    /// <param name="rows">batch · time.</param>
    /// <param name="time">Positions.</param>
    /// <param name="heads">Of a row.</param>
    /// <param name="size">headDim.</param>
    /// <param name="scale">Multiplied in.</param>
    /// <param name="back">True: the inverse rotation, which is the gradient of the rotation.</param>
    public static void Apply(float* x, float* cosine, float* sine, int rows, int time, int heads, int size, float scale, bool back) => CpuParallel.For(rows, (from, to) =>
    {
        int half = size / 2;
        float sign = back ? -scale : scale;
        for (int row = from; row < to; row++)
        {
            float* c = cosine + ((long)(row % time) * half), s = sine + ((long)(row % time) * half);
            for (int head = 0; head < heads; head++)
            {
                float* a = x + ((((long)row * heads) + head) * size), b = a + half;
                int i = 0;
                for (; i + 8 <= half; i += 8)
                {
                    Vector256<float> cos = Vector256.Load(c + i) * scale, sin = Vector256.Load(s + i) * sign, p = Vector256.Load(a + i), q = Vector256.Load(b + i);
                    ((p * cos) - (q * sin)).Store(a + i);
                    ((q * cos) + (p * sin)).Store(b + i);
                }

                for (; i < half; i++)
                {
                    float cos = c[i] * scale, sin = s[i] * sign, p = a[i], q = b[i];
                    a[i] = (p * cos) - (q * sin);
                    b[i] = (q * cos) + (p * sin);
                }
            }
        }
    });
}

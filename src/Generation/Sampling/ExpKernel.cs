using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Rlhf.Generation.Sampling;

/// <summary>
/// Vector kernels over one row of float32 logits: maximum, and exp((x − max)·scale) summed or stored. All widths add in the same order (16 lanes,
/// two accumulators), so a sum does not depend on the processor's vector width.
/// exp is range reduction to |r| ≤ ln 2 / 2 and Cephes' degree-6 polynomial: relative error below 2e-7.
/// </summary>
internal static class ExpKernel
{
    private const int Lanes = 16;

    // exp(−87.33) is the smallest normal float; what is below exp(−87) counts as 0, an error of 1e-38 of the row's largest probability.
    private const float Smallest = -87;
    private const float Log2E = 1.44269504088896341f, Ln2Hi = 0.693359375f, Ln2Lo = -2.12194440e-4f;

    // 1.5·2^23: adding it leaves the nearest integer in the low mantissa bits.
    private const float Magic = 12582912f;
    private const float P0 = 1.9875691500e-4f, P1 = 1.3981999507e-3f, P2 = 8.3334519073e-3f, P3 = 4.1665795894e-2f, P4 = 1.6666665459e-1f, P5 = 5.0000001201e-1f;

    /// <summary>The largest value; NaN values are passed over (the sum that follows turns NaN).</summary>
    public static float Max(ReadOnlySpan<float> row)
    {
        ref float x = ref MemoryMarshal.GetReference(row);
        int i = 0;
        float max = float.NegativeInfinity;
        if (row.Length >= 4 * Lanes)
        {
            if (Vector512.IsHardwareAccelerated)
            {
                Vector512<float> a = Vector512.Create(max), b = a, c = a, d = a;
                for (; i <= row.Length - (4 * Lanes); i += 4 * Lanes)
                {
                    a = Vector512.MaxNative(Vector512.LoadUnsafe(ref x, (nuint)i), a);
                    b = Vector512.MaxNative(Vector512.LoadUnsafe(ref x, (nuint)(i + 16)), b);
                    c = Vector512.MaxNative(Vector512.LoadUnsafe(ref x, (nuint)(i + 32)), c);
                    d = Vector512.MaxNative(Vector512.LoadUnsafe(ref x, (nuint)(i + 48)), d);
                }

                a = Vector512.MaxNative(Vector512.MaxNative(a, b), Vector512.MaxNative(c, d));
                max = ReduceMax(Vector256.MaxNative(a.GetLower(), a.GetUpper()));
            }
            else
            {
                Vector256<float> a = Vector256.Create(max), b = a, c = a, d = a;
                for (; i <= row.Length - (2 * Lanes); i += 2 * Lanes)
                {
                    a = Vector256.MaxNative(Vector256.LoadUnsafe(ref x, (nuint)i), a);
                    b = Vector256.MaxNative(Vector256.LoadUnsafe(ref x, (nuint)(i + 8)), b);
                    c = Vector256.MaxNative(Vector256.LoadUnsafe(ref x, (nuint)(i + 16)), c);
                    d = Vector256.MaxNative(Vector256.LoadUnsafe(ref x, (nuint)(i + 24)), d);
                }

                a = Vector256.MaxNative(Vector256.MaxNative(a, b), Vector256.MaxNative(c, d));
                max = ReduceMax(a);
            }
        }

        for (; i < row.Length; i++)
        {
            if (row[i] > max) max = row[i];
        }

        return max;
    }

    /// <summary>Σ exp((x − max)·scale) over the values that are not below <paramref name="threshold"/>; NaN when a value is NaN or +∞.</summary>
    public static float ExpSum(ReadOnlySpan<float> row, float max, float scale, float threshold)
    {
        ref float x = ref MemoryMarshal.GetReference(row);
        int i = 0;
        threshold = Cut(max, scale, threshold);
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> vmax = Vector512.Create(max), vscale = Vector512.Create(scale), vthreshold = Vector512.Create(threshold);
            Vector512<float> a = Vector512<float>.Zero, b = a;
            for (; i <= row.Length - (2 * Lanes); i += 2 * Lanes)
            {
                a += Exp(Vector512.LoadUnsafe(ref x, (nuint)i), vmax, vscale, vthreshold);
                b += Exp(Vector512.LoadUnsafe(ref x, (nuint)(i + Lanes)), vmax, vscale, vthreshold);
            }

            if (i <= row.Length - Lanes)
            {
                a += Exp(Vector512.LoadUnsafe(ref x, (nuint)i), vmax, vscale, vthreshold);
                i += Lanes;
            }

            if (i < row.Length) b += Exp(LoadTail512(row[i..]), vmax, vscale, vthreshold);
            a += b;
            return Reduce(a.GetLower() + a.GetUpper());
        }

        Vector256<float> wmax = Vector256.Create(max), wscale = Vector256.Create(scale), wthreshold = Vector256.Create(threshold);
        Vector256<float> a0 = Vector256<float>.Zero, a1 = a0, b0 = a0, b1 = a0;
        for (; i <= row.Length - (2 * Lanes); i += 2 * Lanes)
        {
            a0 += Exp(Vector256.LoadUnsafe(ref x, (nuint)i), wmax, wscale, wthreshold);
            a1 += Exp(Vector256.LoadUnsafe(ref x, (nuint)(i + 8)), wmax, wscale, wthreshold);
            b0 += Exp(Vector256.LoadUnsafe(ref x, (nuint)(i + 16)), wmax, wscale, wthreshold);
            b1 += Exp(Vector256.LoadUnsafe(ref x, (nuint)(i + 24)), wmax, wscale, wthreshold);
        }

        if (i <= row.Length - Lanes)
        {
            a0 += Exp(Vector256.LoadUnsafe(ref x, (nuint)i), wmax, wscale, wthreshold);
            a1 += Exp(Vector256.LoadUnsafe(ref x, (nuint)(i + 8)), wmax, wscale, wthreshold);
            i += Lanes;
        }

        if (i < row.Length)
        {
            Span<float> tail = stackalloc float[Lanes];
            tail.Fill(float.NegativeInfinity);
            row[i..].CopyTo(tail);
            b0 += Exp(Vector256.Create<float>(tail[..8]), wmax, wscale, wthreshold);
            b1 += Exp(Vector256.Create<float>(tail[8..]), wmax, wscale, wthreshold);
        }

        return Reduce(a0 + b0 + (a1 + b1));
    }

    /// <summary>exp((x − max)·scale) of each value, 0 where it is below <paramref name="threshold"/>. <paramref name="to"/> holds a multiple of 16 values.</summary>
    public static void Exp(ReadOnlySpan<float> row, float max, float scale, float threshold, Span<float> to)
    {
        ref float x = ref MemoryMarshal.GetReference(row);
        ref float y = ref MemoryMarshal.GetReference(to);
        if (to.Length < (row.Length + Lanes - 1) / Lanes * Lanes) throw new ArgumentException("room for whole vectors is needed", nameof(to));
        threshold = Cut(max, scale, threshold);
        Vector256<float> vmax = Vector256.Create(max), vscale = Vector256.Create(scale), vthreshold = Vector256.Create(threshold);
        int i = 0;
        for (; i <= row.Length - 8; i += 8) Exp(Vector256.LoadUnsafe(ref x, (nuint)i), vmax, vscale, vthreshold).StoreUnsafe(ref y, (nuint)i);
        if (i == row.Length) return;
        Span<float> tail = stackalloc float[8];
        tail.Fill(float.NegativeInfinity);
        row[i..].CopyTo(tail);
        Exp(Vector256.Create<float>(tail), vmax, vscale, vthreshold).StoreUnsafe(ref y, (nuint)i);
    }

    /// <summary>The value below which nothing counts: by the caller's threshold, or because its exponential is no normal number. Above −∞.</summary>
    private static float Cut(float max, float scale, float threshold) => MathF.Max(MathF.Max(threshold, (Smallest / scale) + max), float.MinValue);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x, Vector512<float> max, Vector512<float> scale, Vector512<float> threshold)
    {
        Vector512<float> d = (x - max) * scale;
        Vector512<float> shifted = Vector512.FusedMultiplyAdd(d, Vector512.Create(Log2E), Vector512.Create(Magic));
        Vector512<float> n = shifted - Vector512.Create(Magic);
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2Hi), d);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2Lo), r);
        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(P0), r, Vector512.Create(P1));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P2));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P3));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P4));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(P5));
        p = Vector512.FusedMultiplyAdd(p, r * r, r + Vector512<float>.One);
        Vector512<float> e = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();

        // A NaN is not below the threshold, so it stays and spoils the sum, which is how it is found.
        return Vector512.ConditionalSelect(Vector512.LessThan(x, threshold), Vector512<float>.Zero, e);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Exp(Vector256<float> x, Vector256<float> max, Vector256<float> scale, Vector256<float> threshold)
    {
        Vector256<float> d = (x - max) * scale;
        Vector256<float> shifted = Vector256.FusedMultiplyAdd(d, Vector256.Create(Log2E), Vector256.Create(Magic));
        Vector256<float> n = shifted - Vector256.Create(Magic);
        Vector256<float> r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2Hi), d);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-Ln2Lo), r);
        Vector256<float> p = Vector256.FusedMultiplyAdd(Vector256.Create(P0), r, Vector256.Create(P1));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P2));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P3));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P4));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(P5));
        p = Vector256.FusedMultiplyAdd(p, r * r, r + Vector256<float>.One);
        Vector256<float> e = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(x, threshold), Vector256<float>.Zero, e);
    }

    private static Vector512<float> LoadTail512(ReadOnlySpan<float> values)
    {
        Span<float> tail = stackalloc float[Lanes];
        tail.Fill(float.NegativeInfinity);
        values.CopyTo(tail);
        return Vector512.Create<float>(tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float ReduceMax(Vector256<float> v)
    {
        Vector128<float> h = Vector128.MaxNative(v.GetLower(), v.GetUpper());
        return MathF.Max(MathF.Max(h[0], h[1]), MathF.Max(h[2], h[3]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Reduce(Vector256<float> v)
    {
        Vector128<float> h = v.GetLower() + v.GetUpper();
        return h[0] + h[2] + (h[1] + h[3]);
    }
}

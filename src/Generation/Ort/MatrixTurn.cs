using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rlhf.Generation.Ort;

/// <summary>Transposes float32 matrices: 8 × 8 blocks in registers, two of them side by side so that whole cache lines are written.</summary>
internal static unsafe class MatrixTurn
{
    /// <summary>The first <paramref name="columns"/> of the <paramref name="stride"/> columns of [<paramref name="lines"/>, stride] to [columns, lines].</summary>
    public static void Turn(float* from, int lines, int stride, int columns, float* to)
    {
        if (stride == 1)
        {
            new ReadOnlySpan<float>(from, lines).CopyTo(new Span<float>(to, lines));
            return;
        }

        int done = Avx.IsSupported ? lines / 16 * 16 : 0;
        for (int column = 0; column < columns; column += 8)
        {
            int valid = Math.Min(8, columns - column);
            Vector256<float> mask = Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(valid)).AsSingle();
            for (int line = 0; line < done; line += 16)
            {
                float* source = from + ((long)line * stride) + column;
                float* target = to + ((long)column * lines) + line;
                Block(source, stride, mask, target, lines, valid);
                Block(source + (8L * stride), stride, mask, target + 8, lines, valid);
            }
        }

        for (int column = 0; column < columns; column++)
        {
            for (int line = done; line < lines; line++) to[((long)column * lines) + line] = from[((long)line * stride) + column];
        }
    }

    private static void Block(float* from, long stride, Vector256<float> mask, float* to, long lines, int valid)
    {
        // Masked lanes are not read: the matrix may end there.
        Vector256<float> a = Avx.MaskLoad(from, mask), b = Avx.MaskLoad(from + stride, mask), c = Avx.MaskLoad(from + (2 * stride), mask), d = Avx.MaskLoad(from + (3 * stride), mask);
        Vector256<float> e = Avx.MaskLoad(from + (4 * stride), mask), f = Avx.MaskLoad(from + (5 * stride), mask), g = Avx.MaskLoad(from + (6 * stride), mask), h = Avx.MaskLoad(from + (7 * stride), mask);
        Vector256<float> ab0 = Avx.UnpackLow(a, b), ab1 = Avx.UnpackHigh(a, b), cd0 = Avx.UnpackLow(c, d), cd1 = Avx.UnpackHigh(c, d);
        Vector256<float> ef0 = Avx.UnpackLow(e, f), ef1 = Avx.UnpackHigh(e, f), gh0 = Avx.UnpackLow(g, h), gh1 = Avx.UnpackHigh(g, h);
        Vector256<float> l0 = Avx.Shuffle(ab0, cd0, 0x44), l1 = Avx.Shuffle(ab0, cd0, 0xEE), l2 = Avx.Shuffle(ab1, cd1, 0x44), l3 = Avx.Shuffle(ab1, cd1, 0xEE);
        Vector256<float> h0 = Avx.Shuffle(ef0, gh0, 0x44), h1 = Avx.Shuffle(ef0, gh0, 0xEE), h2 = Avx.Shuffle(ef1, gh1, 0x44), h3 = Avx.Shuffle(ef1, gh1, 0xEE);
        Avx.Store(to, Avx.Permute2x128(l0, h0, 0x20));
        if (valid > 1) Avx.Store(to + lines, Avx.Permute2x128(l1, h1, 0x20));
        if (valid > 2) Avx.Store(to + (2 * lines), Avx.Permute2x128(l2, h2, 0x20));
        if (valid > 3) Avx.Store(to + (3 * lines), Avx.Permute2x128(l3, h3, 0x20));
        if (valid > 4) Avx.Store(to + (4 * lines), Avx.Permute2x128(l0, h0, 0x31));
        if (valid > 5) Avx.Store(to + (5 * lines), Avx.Permute2x128(l1, h1, 0x31));
        if (valid > 6) Avx.Store(to + (6 * lines), Avx.Permute2x128(l2, h2, 0x31));
        if (valid > 7) Avx.Store(to + (7 * lines), Avx.Permute2x128(l3, h3, 0x31));
    }
}

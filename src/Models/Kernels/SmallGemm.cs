using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>
/// C (+)= A·B for the matrices inside attention, too small for a BLAS call each: B and C have contiguous rows whose number of columns is a
/// multiple of 8; A has any strides, so that Aᵀ costs nothing. Register tiles of 4 × 16.
/// </summary>
internal static unsafe class SmallGemm
{
    /// <param name="a">A[i, l] = a[i·aRow + l·aColumn].</param>
    /// <param name="aRow">Stride of A's rows.</param>
    /// <param name="aColumn">Stride of A's columns.</param>
    /// <param name="b">B[l, j] = b[l·bRow + j].</param>
    /// <param name="bRow">Stride of B's rows.</param>
    /// <param name="c">C[i, j] = c[i·cRow + j].</param>
    /// <param name="cRow">Stride of C's rows.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C, a multiple of 8.</param>
    /// <param name="k">Columns of A.</param>
    /// <param name="add">True: adds to C.</param>
    public static void Multiply(float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow, int m, int n, int k, bool add)
    {
        int i = 0;
        for (; i + 4 <= m; i += 4)
        {
            int j = 0;
            for (; j + 16 <= n; j += 16) Tile4x16(a + (i * aRow), aRow, aColumn, b + j, bRow, c + (i * cRow) + j, cRow, k, add);
            if (j < n) Tile4x8(a + (i * aRow), aRow, aColumn, b + j, bRow, c + (i * cRow) + j, cRow, k, add);
        }

        for (; i < m; i++)
        {
            for (int j = 0; j < n; j += 8) Tile1x8(a + (i * aRow), aColumn, b + j, bRow, c + (i * cRow) + j, k, add);
        }
    }

    private static void Tile4x16(float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow, int k, bool add)
    {
        Vector256<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        float* a1 = a + aRow;
        float* a2 = a1 + aRow;
        float* a3 = a2 + aRow;
        long at = 0;
        for (int l = 0; l < k; l++)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Vector256<float> x = Vector256.Create(a[at]);
            c00 = Vector256.MultiplyAddEstimate(x, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(x, b1, c01);
            x = Vector256.Create(a1[at]);
            c10 = Vector256.MultiplyAddEstimate(x, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(x, b1, c11);
            x = Vector256.Create(a2[at]);
            c20 = Vector256.MultiplyAddEstimate(x, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(x, b1, c21);
            x = Vector256.Create(a3[at]);
            c30 = Vector256.MultiplyAddEstimate(x, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(x, b1, c31);
            at += aColumn;
            b += bRow;
        }

        Put(c, c00, add);
        Put(c + 8, c01, add);
        Put(c + cRow, c10, add);
        Put(c + cRow + 8, c11, add);
        Put(c + (2 * cRow), c20, add);
        Put(c + (2 * cRow) + 8, c21, add);
        Put(c + (3 * cRow), c30, add);
        Put(c + (3 * cRow) + 8, c31, add);
    }

    private static void Tile4x8(float* a, long aRow, long aColumn, float* b, long bRow, float* c, long cRow, int k, bool add)
    {
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        float* a1 = a + aRow;
        float* a2 = a1 + aRow;
        float* a3 = a2 + aRow;
        long at = 0;
        for (int l = 0; l < k; l++)
        {
            Vector256<float> row = Vector256.Load(b);
            c0 = Vector256.MultiplyAddEstimate(Vector256.Create(a[at]), row, c0);
            c1 = Vector256.MultiplyAddEstimate(Vector256.Create(a1[at]), row, c1);
            c2 = Vector256.MultiplyAddEstimate(Vector256.Create(a2[at]), row, c2);
            c3 = Vector256.MultiplyAddEstimate(Vector256.Create(a3[at]), row, c3);
            at += aColumn;
            b += bRow;
        }

        Put(c, c0, add);
        Put(c + cRow, c1, add);
        Put(c + (2 * cRow), c2, add);
        Put(c + (3 * cRow), c3, add);
    }

    private static void Tile1x8(float* a, long aColumn, float* b, long bRow, float* c, int k, bool add)
    {
        Vector256<float> sum = default;
        for (int l = 0; l < k; l++) sum = Vector256.MultiplyAddEstimate(Vector256.Create(a[l * aColumn]), Vector256.Load(b + (l * bRow)), sum);
        Put(c, sum, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector256<float> value, bool add) => (add ? Vector256.Load(c) + value : value).Store(c);
}

using System.Runtime.Intrinsics;

namespace Rlhf.Models;

/// <summary>silu(gate)∘up (Shazeer 2020), one pass each way. The buffers must be readable and writable up to the next multiple of 8 numbers.</summary>
internal static unsafe class SwiGluKernel
{
    private const int Chunk = 1 << 14;

    /// <summary>product = gate·σ(gate)·up.</summary>
    public static void Forward(float* gate, float* up, float* product, long count) => Chunks(count, (from, to) =>
    {
        for (long j = from; j < to; j += 8)
        {
            Vector256<float> g = Vector256.Load(gate + j);
            (g * VectorMath.Sigmoid(g) * Vector256.Load(up + j)).Store(product + j);
        }
    });

    /// <summary>
    /// In place: gate becomes ∂L/∂gate = d·up·σ(1 + gate(1 − σ)), up becomes ∂L/∂up = d·gate·σ, and the incoming ∂L/∂product becomes the
    /// product again, which the next weight's gradient needs.
    /// </summary>
    public static void Backward(float* gate, float* up, float* gradient, long count) => Chunks(count, (from, to) =>
    {
        for (long j = from; j < to; j += 8)
        {
            Vector256<float> g = Vector256.Load(gate + j), u = Vector256.Load(up + j), d = Vector256.Load(gradient + j);
            Vector256<float> s = VectorMath.Sigmoid(g), silu = g * s;
            (d * u * Vector256.MultiplyAddEstimate(silu, Vector256<float>.One - s, s)).Store(gate + j);
            (d * silu).Store(up + j);
            (silu * u).Store(gradient + j);
        }
    });

    private static void Chunks(long count, Action<long, long> body) =>
        CpuParallel.For((int)((count + Chunk - 1) / Chunk), (from, to) => body((long)from * Chunk, Math.Min(count, (long)to * Chunk)));
}

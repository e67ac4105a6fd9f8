using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// cos and sin of the rotary angles m·θ^(−2i/d) (Su et al. 2021, "RoFormer"), [positions, headDim / 2], computed in float64 once and
/// kept; they grow when a longer sequence comes.
/// </summary>
internal sealed class RotaryTables(int headDim, double theta, ScalarType dtype, Device device) : IDisposable
{
    private Tensor? _cosine;
    private Tensor? _sine;
    private long _length;

    /// <summary>The rows of positions 0..length−1 (at least).</summary>
    public (Tensor Cosine, Tensor Sine) Upto(long length)
    {
        if (length > _length) Grow(Math.Max(64, length));
        return (_cosine!, _sine!);
    }

    public void Dispose()
    {
        _cosine?.Dispose();
        _sine?.Dispose();
        _length = 0;
    }

    private void Grow(long length)
    {
        int half = headDim / 2;
        double[] cosine = new double[length * half], sine = new double[length * half];
        for (long m = 0; m < length; m++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = m * Math.Pow(theta, -2.0 * i / headDim);
                cosine[(m * half) + i] = Math.Cos(angle);
                sine[(m * half) + i] = Math.Sin(angle);
            }
        }

        Dispose();
        _cosine = Table(cosine, length, half);
        _sine = Table(sine, length, half);
        _length = length;
    }

    private Tensor Table(double[] values, long length, long half)
    {
        using Tensor wide = tensor(values, [length, half]);
        return wide.to(dtype, device, copy: true).DetachFromDisposeScope();
    }
}

using System.Runtime.InteropServices;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// Tensors of any device and element type to and from float32 numbers in host memory, in slices: a span of bytes ends at 2 GiB, and no second copy of
/// the whole is made.
/// </summary>
public static class HostTensors
{
    /// <summary>Numbers of a slice: 1 GiB.</summary>
    public const int SliceNumbers = 1 << 28;

    /// <summary>Copies numbers out, in row-major order.</summary>
    /// <param name="tensor">A tensor that is not contiguous is copied first.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <param name="offset">The first one.</param>
    /// <param name="slice">Most numbers at once.</param>
    public static void Read(Tensor tensor, Span<float> destination, long offset = 0, int slice = SliceNumbers)
    {
        using IDisposable noGrad = no_grad();
        using Tensor flat = tensor.reshape(-1);
        for (int done = 0, count; done < destination.Length; done += count)
        {
            count = Math.Min(slice, destination.Length - done);
            using Tensor part = flat.narrow(0, offset + done, count), host = part.to(ScalarType.Float32, CPU);
            Numbers(host).CopyTo(destination.Slice(done, count));
        }
    }

    /// <summary>Fills a contiguous tensor in place from a file.</summary>
    /// <param name="reader">The file.</param>
    /// <param name="name">Of the tensor there.</param>
    /// <param name="tensor">As many numbers, in any shape.</param>
    /// <param name="refuseNonFinite">True: NaN or infinity is an error that names the tensor and the place.</param>
    /// <param name="slice">Most numbers at once.</param>
    /// <exception cref="BadModelException">The file lacks it, it has another size there, or it is not finite.</exception>
    public static void Fill(SafetensorsReader reader, string name, Tensor tensor, bool refuseNonFinite = false, int slice = SliceNumbers)
    {
        reader.RequireCount(name, tensor.numel());
        using IDisposable noGrad = no_grad();
        using Tensor flat = tensor.view(-1);
        bool inPlace = tensor.is_cpu() && tensor.dtype == ScalarType.Float32;
        using Tensor staged = empty([inPlace ? 0 : Math.Min(slice, flat.numel())], ScalarType.Float32);
        for (long done = 0, count; done < flat.numel(); done += count)
        {
            count = Math.Min(slice, flat.numel() - done);
            using Tensor part = flat.narrow(0, done, count), host = inPlace ? part.alias() : staged.narrow(0, 0, count);
            reader.ReadPart(name, done, Numbers(host), refuseNonFinite);
            if (!inPlace) part.copy_(host);
        }
    }

    private static Span<float> Numbers(Tensor host) => MemoryMarshal.Cast<byte, float>(host.bytes);
}

using System.Runtime.InteropServices;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>Float32 tensors of any device to and from host memory.</summary>
internal static class HostTensors
{
    /// <summary>Copies the numbers out.</summary>
    /// <param name="tensor">Float32.</param>
    /// <param name="destination">[numel]</param>
    public static void Read(Tensor tensor, Span<float> destination)
    {
        using Tensor detached = tensor.detach();
        using Tensor host = detached.cpu();
        using Tensor dense = host.contiguous();
        MemoryMarshal.Cast<byte, float>(dense.bytes).CopyTo(destination);
    }

    /// <summary>Fills a tensor in place from a file.</summary>
    /// <exception cref="Rlhf.Core.BadModelException">The file lacks it, or it has another size there.</exception>
    public static void Fill(SafetensorsReader reader, string name, Tensor tensor)
    {
        using IDisposable noGrad = no_grad();
        float[] values = new float[tensor.numel()];
        reader.Read(name, values);
        using Tensor host = torch.tensor(values);
        using Tensor shaped = host.view(tensor.shape);
        tensor.copy_(shaped);
    }
}

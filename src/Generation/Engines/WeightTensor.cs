using System.Runtime.InteropServices;

namespace Rlhf.Generation;

/// <summary>Float32 values of one initializer of the exported graph, in memory that the caller keeps valid during the hand-over.</summary>
/// <param name="Name">The initializer's name in the ONNX graph.</param>
/// <param name="Dimensions">Its shape there.</param>
/// <param name="Address">First value, row-major.</param>
public readonly record struct WeightTensor(string Name, IReadOnlyList<long> Dimensions, nint Address)
{
    /// <summary>Number of values.</summary>
    public long Count => Dimensions.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>A copy in unmanaged memory of what <paramref name="fill"/> writes; freed by the returned handle.</summary>
    public static (WeightTensor Tensor, SafeHandle Memory) Create(string name, IReadOnlyList<long> dimensions, Action<Memory<float>> fill)
    {
        NativeBuffer<float> memory = new(dimensions.Aggregate(1L, (product, dimension) => product * dimension));
        fill(memory.Memory);
        return (new WeightTensor(name, dimensions, memory.Address), memory);
    }
}

using System.Runtime.InteropServices;
using Rlhf.Export;

namespace Rlhf.Generation.Tests;

/// <summary>A model's weights in unmanaged memory under the exported names, as a trainer hands them over; overwritten when released.</summary>
internal sealed class HandOver : IDisposable
{
    private readonly List<(SafeHandle Memory, WeightTensor Tensor)> _held = [];

    public HandOver(IModelWeights weights)
    {
        foreach (WeightEntry entry in WeightMap.ForPolicy(weights.Shape).Entries)
        {
            (WeightTensor tensor, SafeHandle memory) = WeightTensor.Create(entry.Initializer, entry.Dimensions, values => entry.Fill(weights, values));
            _held.Add((memory, tensor));
        }
    }

    public IReadOnlyList<WeightTensor> Tensors => [.. _held.Select(h => h.Tensor)];

    public unsafe void Dispose()
    {
        // The engine must have its own copy: NaN in the old place would show at once if it had not.
        foreach ((SafeHandle memory, WeightTensor tensor) in _held)
        {
            new Span<float>((void*)tensor.Address, (int)tensor.Count).Fill(float.NaN);
            memory.Dispose();
        }
    }
}

using System.Runtime.InteropServices;
using Rlhf.Export;
using Rlhf.Generation;
using Rlhf.Models;

namespace Rlhf.Pipeline;

/// <summary>
/// The trainer's weights under the names that the rollout engine takes: where they lie, if the layouts are equal, otherwise put together in
/// memory that is kept from iteration to iteration.
/// </summary>
internal sealed class StagedWeights : IDisposable
{
    private readonly IModelWeights _weights;
    private readonly List<(WeightEntry Entry, WeightTensor Tensor, Memory<float> Memory)> _staged = [];
    private readonly List<SafeHandle> _held = [];
    private readonly List<WeightEntry> _plain = [];

    /// <param name="policy">The trainer's model, on the CPU.</param>
    public StagedWeights(LlamaModel policy)
    {
        Policy = policy;
        _weights = new LlamaWeights(policy);
        foreach (WeightEntry entry in WeightMap.ForPolicy(_weights.Shape).Entries)
        {
            if (entry.PureCopyOf is not null)
            {
                _plain.Add(entry);
                continue;
            }

            Memory<float> memory = default;
            (WeightTensor tensor, SafeHandle held) = WeightTensor.Create(entry.Initializer, entry.Dimensions, room => memory = room);
            _staged.Add((entry, tensor, memory));
            _held.Add(held);
        }
    }

    public LlamaModel Policy { get; }

    /// <summary>The weights as they are now; valid until the next optimiser step.</summary>
    public unsafe IReadOnlyList<WeightTensor> Now()
    {
        foreach ((WeightEntry entry, _, Memory<float> memory) in _staged) entry.Fill(_weights, memory);
        return
        [
            .. _staged.Select(s => s.Tensor),
            // Torch's memory does not move.
            .. _plain.Select(e => new WeightTensor(e.Initializer, e.Dimensions, (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(_weights.Get(e.PureCopyOf!))))),
        ];
    }

    public void Dispose() => _held.ForEach(held => held.Dispose());
}

using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Keys and values of all rows: per layer two buffers [slots, heads, capacity, head size] that are past and present at once. Neighbouring
/// slots are a batch of their own, so decoding takes the first ones and prefill any others without copying.
/// </summary>
internal sealed class CacheSlots : IDisposable
{
    private readonly PolicyFolder _folder;
    private readonly DeviceMemory _memory;
    private readonly SafeHandle[] _buffers; // 2 a layer: key, value
    private readonly nint[] _addresses;

    public CacheSlots(PolicyFolder folder, DeviceMemory memory, int slots, int capacity)
    {
        (_folder, _memory, Slots, Capacity) = (folder, memory, slots, capacity);
        _buffers = new SafeHandle[2 * folder.Layers];
        _addresses = new nint[_buffers.Length];
        for (int i = 0; i < _buffers.Length; i++) _buffers[i] = memory.Allocate(SlotLength * slots, out _addresses[i]);
    }

    public int Slots { get; }

    /// <summary>Tokens that a slot can hold.</summary>
    public int Capacity { get; }

    public long Bytes => _buffers.Length * SlotLength * Slots * sizeof(float);

    private long SlotLength => (long)_folder.KeyValueHeads * Capacity * _folder.HeadSize;

    /// <summary>Tensors over the slots from <paramref name="first"/> on, key and value by layer; the caller disposes them.</summary>
    public OrtValue[] View(int first, int count)
    {
        OrtValue[] view = new OrtValue[_buffers.Length];
        for (int i = 0; i < view.Length; i++)
        {
            view[i] = OrtValue.CreateTensorValueWithData(_memory.Info, TensorElementType.Float,
                [count, _folder.KeyValueHeads, Capacity, _folder.HeadSize],
                _addresses[i] + (nint)(first * SlotLength * sizeof(float)), count * SlotLength * sizeof(float));
        }

        return view;
    }

    /// <summary>Copies the first tokens of a slot to another slot, here or in <paramref name="target"/>.</summary>
    public void Copy(int from, int to, int tokens, CacheSlots? target = null)
    {
        target ??= this;
        long line = sizeof(float) * _folder.HeadSize;
        for (int i = 0; i < _buffers.Length; i++)
        {
            nint source = _addresses[i] + (nint)(from * SlotLength * sizeof(float)), destination = target._addresses[i] + (nint)(to * target.SlotLength * sizeof(float));
            _memory.Copy(source, Capacity * line, destination, target.Capacity * line, tokens * line, _folder.KeyValueHeads);
        }
    }

    public void Dispose()
    {
        foreach (SafeHandle buffer in _buffers) buffer.Dispose();
    }
}

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
    private readonly NativeBuffer<float>[] _buffers; // 2 a layer: key, value

    public CacheSlots(PolicyFolder folder, int slots, int capacity)
    {
        (_folder, Slots, Capacity) = (folder, slots, capacity);
        _buffers = new NativeBuffer<float>[2 * folder.Layers];
        for (int i = 0; i < _buffers.Length; i++) _buffers[i] = new NativeBuffer<float>(SlotLength * slots);
    }

    public int Slots { get; }

    /// <summary>Tokens that a slot can hold.</summary>
    public int Capacity { get; }

    public long Bytes => _buffers.Sum(buffer => buffer.Bytes);

    private long SlotLength => (long)_folder.KeyValueHeads * Capacity * _folder.HeadSize;

    /// <summary>Tensors over the slots from <paramref name="first"/> on, key and value by layer; the caller disposes them.</summary>
    public OrtValue[] View(int first, int count)
    {
        OrtValue[] view = new OrtValue[_buffers.Length];
        for (int i = 0; i < view.Length; i++)
        {
            view[i] = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Float,
                [count, _folder.KeyValueHeads, Capacity, _folder.HeadSize],
                _buffers[i].Address + (nint)(first * SlotLength * sizeof(float)), count * SlotLength * sizeof(float));
        }

        return view;
    }

    /// <summary>Copies the first tokens of a slot to another slot, here or in <paramref name="target"/>.</summary>
    public void Copy(int from, int to, int tokens, CacheSlots? target = null)
    {
        target ??= this;
        int run = tokens * _folder.HeadSize;
        for (int i = 0; i < _buffers.Length; i++)
        {
            for (int head = 0; head < _folder.KeyValueHeads; head++)
            {
                Span<float> source = _buffers[i].Span((from * SlotLength) + ((long)head * Capacity * _folder.HeadSize), run);
                source.CopyTo(target._buffers[i].Span((to * target.SlotLength) + ((long)head * target.Capacity * _folder.HeadSize), run));
            }
        }
    }

    public void Dispose()
    {
        foreach (NativeBuffer<float> buffer in _buffers) buffer.Dispose();
    }
}

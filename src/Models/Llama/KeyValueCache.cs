using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>Keys and values of the positions that were computed already, for decoding token by token. All rows have the same length.</summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <param name="model">Whose keys and values are kept.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="capacity">Positions.</param>
    public KeyValueCache(LlamaModel model, long batch, long capacity)
    {
        LlamaConfig config = model.Config;
        Capacity = capacity;
        long[] shape = [batch, config.NumKeyValueHeads, capacity, config.HeadDim];
        _keys = Buffers(config.NumHiddenLayers, shape, model.Parameters);
        _values = Buffers(config.NumHiddenLayers, shape, model.Parameters);
    }

    public long Capacity { get; }

    /// <summary>Positions that are filled.</summary>
    public long Length { get; internal set; }

    public void Dispose()
    {
        foreach (Tensor tensor in _keys) tensor.Dispose();
        foreach (Tensor tensor in _values) tensor.Dispose();
    }

    /// <summary>Appends the new positions of a layer and returns all: [batch, kvHeads, Length + new, headDim].</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long count = keys.shape[2];
        _keys[layer].narrow(2, Length, count).copy_(keys);
        _values[layer].narrow(2, Length, count).copy_(values);
        return (_keys[layer].narrow(2, 0, Length + count), _values[layer].narrow(2, 0, Length + count));
    }

    private static Tensor[] Buffers(int count, long[] shape, ParameterStore store) =>
        [.. Enumerable.Range(0, count).Select(_ => empty(shape, store.Dtype, store.Device).DetachFromDisposeScope())];
}

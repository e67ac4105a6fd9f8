namespace Rlhf.Generation.Ort;

/// <summary>
/// The engine's own copy of weights that were handed over: ONNX Runtime reads some of them (embedding, norms) where they lie, so the
/// trainer's memory must not change under it.
/// </summary>
internal sealed class HandedWeights : IDisposable
{
    private readonly NativeBuffer<float> _memory;

    /// <param name="graph">The graph that the names belong to.</param>
    /// <param name="earlier">Weights handed over before: those not given again stay.</param>
    /// <param name="weights">New values.</param>
    /// <param name="retired">A copy that no session reads any more: its memory is used again, since fresh pages cost more than the copy.</param>
    public HandedWeights(byte[] graph, HandedWeights? earlier, IReadOnlyList<WeightTensor> weights, HandedWeights? retired)
    {
        Graph = graph;
        HashSet<string> named = [.. weights.Select(w => w.Name)];
        List<WeightTensor> all = [.. weights, .. earlier?.Tensors.Where(w => !named.Contains(w.Name)) ?? []];
        long length = all.Sum(w => Padded(w.Count));
        if (retired is not null && retired._memory.Length == length)
        {
            _memory = retired._memory;
        }
        else
        {
            retired?.Dispose();
            _memory = new NativeBuffer<float>(length);
        }

        long at = 0;
        WeightTensor[] copied = new WeightTensor[all.Count];
        for (int i = 0; i < copied.Length; i++)
        {
            copied[i] = all[i] with { Address = _memory.Address + (nint)(at * sizeof(float)) };
            at += Padded(all[i].Count);
        }

        Tensors = copied;
        Parallel.For(0, copied.Length, i => Copy(all[i].Address, copied[i].Address, copied[i].Count));
    }

    public byte[] Graph { get; }

    public IReadOnlyList<WeightTensor> Tensors { get; }

    public void Dispose() => _memory.Dispose();

    private static long Padded(long count) => (count + 15) / 16 * 16;

    private static unsafe void Copy(nint from, nint to, long count) => Buffer.MemoryCopy((void*)from, (void*)to, count * sizeof(float), count * sizeof(float));
}

namespace Rlhf.Export;

/// <summary>Where each weight lies in the external data file: 4096-byte aligned where a page or more, so that it can be mapped; else 64.</summary>
internal sealed class DataLayout
{
    public const string FileName = "model.onnx.data";

    private const int MostNumbers = 1 << 28;

    private readonly Dictionary<string, (long Offset, long Length)> _places = [];

    public DataLayout(WeightMap map)
    {
        long at = 0;
        foreach (WeightEntry entry in map.Entries)
        {
            long length = 4L * entry.Count, alignment = length >= 4096 ? 4096 : 64;
            at = (at + alignment - 1) / alignment * alignment;
            _places.Add(entry.Initializer, (at, length));
            at += length;
        }

        TotalBytes = at;
    }

    public long TotalBytes { get; }

    public (long Offset, long Length) this[string initializer] => _places[initializer];

    /// <summary>Writes every weight at its place, one at a time.</summary>
    public void Write(string path, WeightMap map, IModelWeights weights)
    {
        float[] buffer = new float[map.Entries.Max(entry => entry.Count)];
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        foreach (WeightEntry entry in map.Entries)
        {
            Memory<float> values = buffer.AsMemory(0, entry.Count);
            entry.Fill(weights, values);
            NumberCheck.ThrowIfNotFinite(entry.Initializer, values.Span);
            file.Position = _places[entry.Initializer].Offset;
            // A span of bytes ends at 2 GiB.
            for (int done = 0, count; done < values.Length; done += count)
            {
                count = Math.Min(MostNumbers, values.Length - done);
                file.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.Span.Slice(done, count)));
            }
        }
    }
}

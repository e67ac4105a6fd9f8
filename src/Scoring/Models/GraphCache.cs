using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Scoring;

/// <summary>
/// Keys and values of some rows that have read the same number of tokens. A layer's buffer [rows, heads, capacity, size] is past and present at
/// once, so going on copies nothing, and going back to a mark is forgetting. The last layer's part, where it is apart, is small and written anew at each step.
/// </summary>
internal sealed class GraphCache(CacheShape shape)
{
    private readonly float[][] _layers = [.. Enumerable.Range(0, 2 * shape.Layers).Select(_ => Array.Empty<float>())];
    private readonly float[][][] _last = [[[], []], [[], []], [[], []]]; // three places: the past, the mark, and where the present goes
    private int _rows, _capacity, _past, _marked = -1, _mark;

    /// <summary>Tokens of every row that are in the cache.</summary>
    public int Tokens { get; private set; }

    /// <summary>Makes room and forgets everything. Buffers grow and are kept.</summary>
    public void Reset(int rows, int capacity)
    {
        (_rows, _capacity, Tokens, _marked) = (rows, capacity, 0, -1);
        for (int i = 0; i < _layers.Length; i++) Grow(ref _layers[i], rows * shape.Heads * capacity * shape.Size);
    }

    /// <summary>Remembers what was read so far.</summary>
    public void Mark() => (_marked, _mark) = (_past, Tokens);

    /// <summary>Forgets what was read after the mark.</summary>
    public void Rewind() => (_past, Tokens) = (_marked, _mark);

    /// <summary>Tensors of what was read; the caller disposes them.</summary>
    public IEnumerable<OrtValue> Past()
    {
        foreach (float[] layer in _layers) yield return Layer(layer);
        if (shape.LastWidth == 0) yield break;
        for (int i = 0; i < 2; i++) yield return Last(_past, i, Tokens);
    }

    /// <summary>Tensors for what is going to be read: for the layers those of <paramref name="past"/>. The caller disposes the last layer's.</summary>
    public IEnumerable<OrtValue> Present(IReadOnlyList<OrtValue> past, int width)
    {
        for (int i = 0; i < _layers.Length; i++) yield return past[i];
        if (shape.LastWidth == 0) yield break;
        for (int i = 0; i < 2; i++) yield return Last(Next, i, Tokens + width);
    }

    /// <summary>The step is done: what was written is the past now.</summary>
    public void Advance(int width) => (_past, Tokens) = (Next, Tokens + width);

    // A place that is neither the past nor the mark.
    private int Next => Enumerable.Range(0, 3).First(i => i != _past && i != _marked);

    private OrtValue Layer(float[] buffer)
    {
        int count = _rows * shape.Heads * _capacity * shape.Size;
        return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, buffer.AsMemory(0, count), [_rows, shape.Heads, _capacity, shape.Size]);
    }

    private OrtValue Last(int place, int part, int tokens)
    {
        int count = _rows * tokens * shape.LastWidth;
        Grow(ref _last[place][part], count);
        return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _last[place][part].AsMemory(0, count), [_rows, tokens, shape.LastWidth]);
    }

    private static void Grow(ref float[] buffer, int length)
    {
        if (buffer.Length < Math.Max(length, 1)) buffer = GC.AllocateUninitializedArray<float>(Math.Max(length, 1)); // no tensor over a null
    }
}

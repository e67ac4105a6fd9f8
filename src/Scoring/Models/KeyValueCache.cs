using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Scoring;

/// <summary>What a graph keeps of the tokens that it has read.</summary>
/// <param name="Layers">Layers with a cache of their own, numbered from 0.</param>
/// <param name="Heads">Key heads.</param>
/// <param name="Size">Numbers a head.</param>
/// <param name="LastWidth">Numbers a token of the last layer where only its last token is read; 0: that layer is among the others.</param>
internal sealed record CacheShape(int Layers, int Heads, int Size, int LastWidth)
{
    public const string PastLastKey = "past_last.key", PastLastValue = "past_last.value";

    private static readonly string[] Parts = ["key", "value"];

    public IReadOnlyList<string> PastNames { get; } =
        [.. Names("past_key_values", Layers), .. LastWidth > 0 ? (ReadOnlySpan<string>)[PastLastKey, PastLastValue] : []];

    public IReadOnlyList<string> PresentNames { get; } =
        [.. Names("present", Layers), .. LastWidth > 0 ? (ReadOnlySpan<string>)["present_last.key", "present_last.value"] : []];

    /// <summary>Reads the shape off the inputs of a graph; null where it has no cache.</summary>
    public static CacheShape? Of(InferenceSession session)
    {
        IReadOnlyDictionary<string, NodeMetadata> inputs = session.InputMetadata;
        int layers = 0;
        while (inputs.ContainsKey($"past_key_values.{layers}.key")) layers++;
        int last = inputs.TryGetValue(PastLastKey, out NodeMetadata? node) ? node.Dimensions[2] : 0;
        if (layers + last == 0) return null;
        int[] dimensions = layers > 0 ? inputs["past_key_values.0.key"].Dimensions : [1, 0, 1, 0];
        return new CacheShape(layers, dimensions[1], dimensions[3], last);
    }

    private static IEnumerable<string> Names(string prefix, int layers) =>
        Enumerable.Range(0, layers).SelectMany(_ => Parts, (layer, part) => $"{prefix}.{layer}.{part}");
}

/// <summary>
/// Keys and values of some rows that have read the same number of tokens. A layer's buffer [rows, heads, capacity, size] is past and present at
/// once, so going on copies nothing, and going back to a mark is forgetting. The last layer's part, where it is apart, is small and written anew at each step.
/// </summary>
internal sealed class KeyValueCache(CacheShape shape)
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

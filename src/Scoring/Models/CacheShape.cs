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

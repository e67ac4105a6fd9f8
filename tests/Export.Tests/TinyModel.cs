using Rlhf.Core;

namespace Rlhf.Export.Tests;

/// <summary>Weights in plain arrays: random ones at an address, or stories260K.</summary>
internal sealed class TinyModel(ModelShape shape) : IModelWeights
{
    public Dictionary<string, float[]> Parameters { get; private init; } = [];

    public ModelShape Shape { get; } = shape;

    public ReadOnlySpan<float> Get(string name) =>
        Parameters.TryGetValue(name, out float[]? values) ? values : throw new BadModelException($"No parameter '{name}'.");

    public static ModelShape SmallShape(
        int heads = 4, int keyValueHeads = 2, int headSize = 16, bool tied = true, bool bias = false, double theta = 10000, int vocabulary = 61,
        int layers = 3, int hidden = 40, int inner = 56) => new()
    {
        VocabularySize = vocabulary, HiddenSize = hidden, IntermediateSize = inner, Layers = layers, Heads = heads, KeyValueHeads = keyValueHeads,
        HeadSize = headSize, MaxPositions = 64, RopeTheta = theta, TiedHead = tied, QueryKeyValueBias = bias, OutputBias = bias,
        BosTokenId = 1, EosTokenIds = [2], PadTokenId = 0,
    };

    public static TinyModel Random(ModelShape shape, ulong seed = 7, bool scoreHead = false)
    {
        TinyModel model = new(shape);
        WeightMap map = scoreHead ? WeightMap.ForReward(shape) : WeightMap.ForPolicy(shape);
        foreach (WeightEntry entry in map.Entries)
        {
            foreach (string source in entry.Sources)
            {
                int count = entry.Pieces.Where(piece => piece.Source == source).Sum(piece => piece.Length * piece.Count);
                uint key = (uint)AddressedRandom.Key(source);
                bool norm = source.Contains("norm", StringComparison.Ordinal);
                double scale = source == "model.embed_tokens.weight" ? 0.5 : source.EndsWith("bias", StringComparison.Ordinal) ? 0.3
                    : 1.2 / Math.Sqrt(shape.HiddenSize);
                float[] values = new float[count];
                for (int i = 0; i < count; i++)
                    values[i] = (float)((norm ? 1 : 0) + ((norm ? 0.2 : scale) * AddressedRandom.Normal(seed, AddressedRandom.Stream.Probe, key, 0, (uint)i)));
                model.Parameters[source] = values;
            }
        }

        return model;
    }

    public static long[] Tokens(int count, int vocabulary, uint row = 0, ulong seed = 3) =>
        [.. Enumerable.Range(0, count).Select(i => (long)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Probe, row, 1, (uint)i) * vocabulary))];

    public static TinyModel Stories260K() => new(new ModelShape
    {
        VocabularySize = 512, HiddenSize = 64, IntermediateSize = 172, Layers = 5, Heads = 8, KeyValueHeads = 4, HeadSize = 8,
        MaxPositions = 512, TiedHead = true, BosTokenId = 1, EosTokenIds = [2],
    })
    {
        Parameters = StoriesFile.Read(),
    };
}

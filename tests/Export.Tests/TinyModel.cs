using System.Buffers.Binary;
using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Export.Tests;

/// <summary>Weights in plain arrays: random ones at an address, or stories260K read by a reader of the tests' own.</summary>
internal sealed class TinyModel(ModelShape shape) : IModelWeights
{
    public Dictionary<string, float[]> Parameters { get; } = [];

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

    public static TinyModel Stories260K()
    {
        string folder = Checkout.Shared("models/stories260K");
        ModelShape shape = new()
        {
            VocabularySize = 512, HiddenSize = 64, IntermediateSize = 172, Layers = 5, Heads = 8, KeyValueHeads = 4, HeadSize = 8,
            MaxPositions = 512, TiedHead = true, BosTokenId = 1, EosTokenIds = [2],
        };
        TinyModel model = new(shape);
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        foreach (JsonProperty tensor in json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__"))
        {
            int[] dimensions = [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())];
            int[] range = [.. tensor.Value.GetProperty("data_offsets").EnumerateArray().Select(d => d.GetInt32())];
            float[] values = new float[(range[1] - range[0]) / 4];
            Buffer.BlockCopy(file, 8 + header + range[0], values, 0, values.Length * 4);
            bool linear = tensor.Name.EndsWith("proj.weight", StringComparison.Ordinal);
            model.Parameters[tensor.Name] = linear ? Transpose(values, dimensions[0], dimensions[1]) : values;
        }

        return model;
    }

    private static float[] Transpose(float[] from, int rows, int columns)
    {
        float[] to = new float[from.Length];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                to[(c * rows) + r] = from[(r * columns) + c];
        return to;
    }
}

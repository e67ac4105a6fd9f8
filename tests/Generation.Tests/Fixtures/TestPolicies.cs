using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export;

namespace Rlhf.Generation.Tests;

/// <summary>Exported policies for the tests: stories260K, and small ones with random weights. Made once, removed with the test run.</summary>
[SetUpFixture]
public sealed class TestPolicies
{
    private static readonly Lock Gate = new();
    private static string? s_root;

    [OneTimeTearDown]
    public void Remove()
    {
        if (s_root is not null) Directory.Delete(s_root, recursive: true);
        s_root = null;
    }

    public static PolicyFolder Stories260K() => PolicyFolder.Open(Export("stories260K", ReadStories));

    public static ArrayModel Stories260KWeights() => ReadStories();

    /// <summary>A few thousand parameters with distributions far from flat.</summary>
    public static PolicyFolder Random(int vocabulary = 61, ulong seed = 7, int context = 96) =>
        PolicyFolder.Open(Export($"random-{vocabulary}-{seed}-{context}", () => ArrayModel.Random(SmallShape(vocabulary, context), seed)));

    public static ModelShape SmallShape(int vocabulary = 61, int context = 96) => new()
    {
        VocabularySize = vocabulary, HiddenSize = 32, IntermediateSize = 48, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadSize = 16,
        MaxPositions = context, TiedHead = true, BosTokenId = 1, EosTokenIds = [2], PadTokenId = 0,
    };

    public static string Export(string name, Func<IModelWeights> weights)
    {
        string tokenizer = Checkout.Shared("models/stories260K");
        lock (Gate)
        {
            s_root ??= Directory.CreateTempSubdirectory("rlhf-generation-").FullName;
            string folder = Path.Combine(s_root, name);
            if (!Directory.Exists(folder)) OnnxExporter.ExportPolicy(weights(), tokenizer, folder);
            return folder;
        }
    }

    private static ArrayModel ReadStories() => new(new ModelShape
    {
        VocabularySize = 512, HiddenSize = 64, IntermediateSize = 172, Layers = 5, Heads = 8, KeyValueHeads = 4, HeadSize = 8,
        MaxPositions = 512, TiedHead = true, BosTokenId = 1, EosTokenIds = [2],
    })
    {
        Parameters = StoriesFile.Read(),
    };
}

/// <summary>Weights in plain arrays.</summary>
public sealed class ArrayModel(ModelShape shape) : IModelWeights
{
    public Dictionary<string, float[]> Parameters { get; init; } = [];

    public ModelShape Shape { get; } = shape;

    public ReadOnlySpan<float> Get(string name) => Parameters.TryGetValue(name, out float[]? values) ? values : throw new BadModelException($"No parameter '{name}'.");

    /// <summary>Random weights at an address, scaled so that logits spread over several nats.</summary>
    public static ArrayModel Random(ModelShape shape, ulong seed)
    {
        ArrayModel model = new(shape);
        foreach (WeightEntry entry in WeightMap.ForPolicy(shape).Entries)
        {
            foreach (string source in entry.Sources)
            {
                int count = entry.Pieces.Where(piece => piece.Source == source).Sum(piece => piece.Length * piece.Count);
                bool norm = source.Contains("norm", StringComparison.Ordinal);
                double scale = norm ? .2 : source == "model.embed_tokens.weight" ? .5 : 1.2 / Math.Sqrt(shape.HiddenSize);
                float[] values = new float[count];
                uint key = (uint)AddressedRandom.Key(source);
                for (int i = 0; i < count; i++) values[i] = (float)((norm ? 1 : 0) + (scale * AddressedRandom.Normal(seed, AddressedRandom.Stream.Probe, key, 0, (uint)i)));
                model.Parameters[source] = values;
            }
        }

        return model;
    }
}

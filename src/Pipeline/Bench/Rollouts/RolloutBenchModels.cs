using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Generation;

namespace Rlhf.Pipeline.Bench;

/// <summary>Models of the benchmark: Llama shapes with random weights, exported like any policy.</summary>
internal static class RolloutBenchModels
{
    /// <summary>24 M parameters, vocabulary 32000: where sampling from the whole vocabulary is dear.</summary>
    public static readonly ModelShape Large = new()
    {
        VocabularySize = 32000, HiddenSize = 288, IntermediateSize = 768, Layers = 6, Heads = 6, KeyValueHeads = 6, HeadSize = 48,
        MaxPositions = 512, BosTokenId = 1, EosTokenIds = [2], PadTokenId = 0,
    };

    /// <summary>4 M parameters, vocabulary 4096.</summary>
    public static readonly ModelShape Small = new()
    {
        VocabularySize = 4096, HiddenSize = 256, IntermediateSize = 672, Layers = 4, Heads = 4, KeyValueHeads = 4, HeadSize = 64,
        MaxPositions = 512, TiedHead = true, BosTokenId = 1, EosTokenIds = [2], PadTokenId = 0,
    };

    /// <summary>
    /// The large model where about every 42nd token ends a response, so that lengths are spread as a tuned policy's are: geometric, cut at
    /// the most new tokens. Random weights spread their mass evenly, so a share of the vocabulary is a share of the mass.
    /// </summary>
    public static ModelShape LargeWithEnds => Large with { EosTokenIds = [.. Enumerable.Range(2, 32000 / 42)] };

    public static int Parameters(ModelShape shape) => WeightMap.ForPolicy(shape).Entries.Where(e => e.Pieces.Count > 0).Sum(e => e.Count);

    /// <summary>Exports the shape to a folder of its own.</summary>
    public static PolicyFolder Export(ModelShape shape, string root, string name, string tokenizerSource)
    {
        string folder = Path.Combine(root, name);
        OnnxExporter.ExportPolicy(new RandomWeights(shape, seed: 1), tokenizerSource, folder);
        return PolicyFolder.Open(folder);
    }

    /// <summary>Uniform weights at an address, of standard deviation 0.02 as models begin with; norms are 1.</summary>
    internal sealed class RandomWeights(ModelShape shape, ulong seed) : IModelWeights
    {
        private readonly Dictionary<string, float[]> _made = [];

        public ModelShape Shape => shape;

        public ReadOnlySpan<float> Get(string name)
        {
            if (_made.TryGetValue(name, out float[]? values)) return values;
            WeightEntry entry = WeightMap.ForPolicy(shape).Entries.First(e => e.Sources.Contains(name));
            values = new float[entry.Pieces.Where(p => p.Source == name).Sum(p => p.Length * p.Count)];
            if (name.Contains("norm", StringComparison.Ordinal))
            {
                Array.Fill(values, 1);
            }
            else
            {
                ulong key = AddressedRandom.Key(name);
                const double Width = .02 * 3.4641016; // a uniform of this width has the deviation
                for (int i = 0; i < values.Length; i++) values[i] = (float)(Width * (AddressedRandom.Uniform(seed ^ key, AddressedRandom.Stream.Initialisation, (uint)i) - .5));
            }

            return _made[name] = values;
        }
    }
}

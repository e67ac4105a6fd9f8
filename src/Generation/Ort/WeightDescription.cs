using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>One weight that a graph takes as an input, as the graph's metadata describes it.</summary>
/// <param name="Name">Of the input.</param>
/// <param name="Offset">Its first byte in the data file.</param>
/// <param name="Dimensions">One or two, as in the data file.</param>
/// <param name="Turned">True: the input is [out, in], the file has [in, out].</param>
internal sealed record WeightDescription(string Name, long Offset, long[] Dimensions, bool Turned)
{
    /// <summary>The key of the descriptions in the graph's metadata, as the exporter writes it.</summary>
    public const string MetadataKey = "rlhf.weight_inputs";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, AllowDuplicateProperties = false };

    /// <summary>Numbers in it; <see cref="Read"/> has made sure that there can be so many.</summary>
    public long Count => Dimensions.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>The first byte behind it in the data file.</summary>
    public long End => Offset + (Count * sizeof(float));

    /// <summary>Reads the descriptions and holds them against the graph's inputs.</summary>
    /// <exception cref="BadModelException">They are not of the graph's inputs, or of a size that no file has.</exception>
    public static WeightDescription[] Read(string text, IReadOnlyDictionary<string, NodeMetadata> inputs)
    {
        try
        {
            WeightDescription?[] found = JsonSerializer.Deserialize<WeightDescription?[]>(text, Json) ?? [];
            var names = new HashSet<string>(StringComparer.Ordinal);
            WeightDescription[] descriptions = new WeightDescription[found.Length];
            for (int i = 0; i < found.Length; i++)
            {
                if (found[i] is not { Name: not null, Dimensions: not null } d) throw new BadModelException($"The graph's description of its weight {i + 1} has no name or no dimensions. Export the model again.");
                if (!inputs.TryGetValue(d.Name, out NodeMetadata? input) || !d.IsOf(input) || !names.Add(d.Name))
                    throw new BadModelException($"The graph's description of its weight '{d.Name}' is not that of an input it has. Export the model again.");
                if (!d.HasSize()) throw new BadModelException($"The graph's description puts its weight '{d.Name}', [{string.Join(", ", d.Dimensions)}], at byte {d.Offset}; no file has such a place. Export the model again.");
                descriptions[i] = d;
            }

            return descriptions;
        }
        catch (JsonException e)
        {
            throw new BadModelException($"The graph's description of its weights cannot be read: {e.Message} Export the model again.", e);
        }
    }

    /// <summary>Before memory is taken for them: each lies inside the file, and together they are no larger than it.</summary>
    /// <exception cref="BadModelException">The file is missing or too short.</exception>
    public static void RequireIn(string dataFile, IEnumerable<WeightDescription> descriptions)
    {
        if (!File.Exists(dataFile)) throw new BadModelException($"{dataFile}: the file is missing. Export the model again, or copy the whole folder.");
        long length = new FileInfo(dataFile).Length, room = length;
        foreach (WeightDescription d in descriptions)
        {
            room -= d.End - d.Offset; // cannot wrap: it ends at the first one below zero
            if (d.End > length || room < 0)
            {
                string found = d.End > length ? $"the graph's weight '{d.Name}' needs {d.End}" : $"the graph's weights up to '{d.Name}' are larger";
                throw new BadModelException($"{dataFile}: the file has {length} bytes; {found}. Export the model again, or copy the whole folder.");
            }
        }
    }

    private bool IsOf(NodeMetadata input)
    {
        if (!input.IsTensor || input.ElementDataType != TensorElementType.Float || Dimensions.Length is 0 or > 2 || (Turned && Dimensions.Length != 2)) return false;
        return (Turned ? Dimensions.Reverse() : Dimensions).SequenceEqual(input.Dimensions.Select(n => (long)n));
    }

    private bool HasSize()
    {
        try
        {
            long count = 1;
            foreach (long dimension in Dimensions)
            {
                if (dimension < 1) return false;
                count = checked(count * dimension);
            }

            return Offset >= 0 && checked(Offset + (count * sizeof(float))) > 0;
        }
        catch (OverflowException)
        {
            return false;
        }
    }
}

using System.Buffers.Binary;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Models;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="StoredType">As the file says: "F32", "F16", "BF16", "I64", …</param>
/// <param name="Shape">As stored: linear weights are [out, in].</param>
/// <param name="Offset">Bytes from the beginning of the file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="File">The file that holds it.</param>
public sealed record SafetensorsEntry(string Name, string StoredType, IReadOnlyList<long> Shape, long Offset, long Length, string File)
{
    /// <summary>How many numbers.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>
/// Reads and checks the header of one safetensors file: 8 bytes length, JSON, data. Nothing is allocated before its size was checked
/// against the file, and the tensors must tile the data exactly, as the format demands.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    private const long MaximumHeader = 100_000_000;

    public static (IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata) Read(Stream stream, string file)
    {
        long size = stream.Length;
        if (size < 8) throw Bad(file, $"the file has {size} bytes; a safetensors file begins with 8 bytes of header length. It is truncated or no safetensors file.");
        Span<byte> prefix = stackalloc byte[8];
        stream.ReadExactly(prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)(size - 8))
            throw Bad(file, $"the header says it has {headerLength} bytes but the file has only {size - 8} after the length. It is truncated or no safetensors file.");
        if (headerLength > MaximumHeader) throw Bad(file, $"the header says it has {headerLength} bytes; the format allows {MaximumHeader}.");
        byte[] json = new byte[(int)headerLength];
        stream.ReadExactly(json);
        return Parse(json, file, size - 8 - (long)headerLength, 8 + (long)headerLength);
    }

    private static (IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata) Parse(
        byte[] json, string file, long dataLength, long dataOffset)
    {
        List<SafetensorsEntry> entries = [];
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal);
        using JsonDocument document = ParseJson(json, file);
        if (document.RootElement.ValueKind != JsonValueKind.Object) throw Bad(file, "the header is no JSON object.");
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            if (!names.Add(property.Name)) throw Bad(file, "it is in the header twice.", property.Name);
            if (property.Name == "__metadata__") ReadMetadata(property.Value, metadata, file);
            else entries.Add(ReadEntry(property, file, dataLength, dataOffset));
        }

        CheckTiling(entries, file, dataLength, dataOffset);
        return (entries, metadata);
    }

    private static JsonDocument ParseJson(byte[] json, string file)
    {
        // The parser leaves texts unchecked until they are read.
        if (!System.Text.Unicode.Utf8.IsValid(json)) throw Bad(file, "the header is not valid UTF-8. The file is damaged or no safetensors file.");
        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8 });
        }
        catch (JsonException e)
        {
            throw new BadModelException($"{file}: the header is not valid JSON ({e.Message}). The file is damaged or no safetensors file.", e);
        }
    }

    private static void ReadMetadata(JsonElement value, SortedDictionary<string, string> metadata, string file)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Bad(file, "__metadata__ is no JSON object.");
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String) throw Bad(file, $"__metadata__ has \"{property.Name}\" that is no text.");
            metadata[property.Name] = property.Value.GetString()!;
        }
    }

    private static SafetensorsEntry ReadEntry(JsonProperty property, string file, long dataLength, long dataOffset)
    {
        string name = property.Name;
        if (property.Value.ValueKind != JsonValueKind.Object
            || !property.Value.TryGetProperty("dtype", out JsonElement dtype) || dtype.ValueKind != JsonValueKind.String
            || !property.Value.TryGetProperty("shape", out JsonElement shape) || Whole(shape) is not { } sizes
            || !property.Value.TryGetProperty("data_offsets", out JsonElement offsets) || Whole(offsets) is not [var begin, var end])
            throw Bad(file, "its header entry must have dtype (text), shape (list of whole numbers) and data_offsets (two whole numbers).", name);
        string type = dtype.GetString()!;
        int bits = Bits(type);
        if (bits == 0) throw Bad(file, $"dtype \"{type}\" is not known.", name);
        if (begin > end || end > dataLength)
            throw Bad(file, $"data_offsets [{begin}, {end}] do not lie in the file's {dataLength} bytes of data. The file is truncated or damaged.", name);
        long expected = ByteCount(sizes, bits);
        if (expected != end - begin)
            throw Bad(file, $"data_offsets span {end - begin} bytes but shape [{string.Join(", ", sizes)}] of {type} needs {(expected < 0 ? "more than any file has" : expected)}.", name);
        return new SafetensorsEntry(name, type, sizes, dataOffset + begin, end - begin, file);
    }

    /// <summary>The bytes of a shape, or −1 on overflow.</summary>
    private static long ByteCount(long[] shape, int bits)
    {
        try
        {
            long count = 1;
            foreach (long size in shape) count = checked(count * size);
            return checked(count * bits) / 8;
        }
        catch (OverflowException)
        {
            return -1;
        }
    }

    private static void CheckTiling(List<SafetensorsEntry> entries, string file, long dataLength, long dataOffset)
    {
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Length.CompareTo(b.Length));
        long position = dataOffset;
        SafetensorsEntry? previous = null;
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Offset < position) throw Bad(file, $"its data overlaps that of {previous!.Name}.", entry.Name);
            if (entry.Offset > position) throw Bad(file, $"{entry.Offset - position} bytes before its data belong to no tensor.", entry.Name);
            position = entry.Offset + entry.Length;
            previous = entry;
        }

        if (position != dataOffset + dataLength)
            throw Bad(file, $"{dataOffset + dataLength - position} bytes at the end belong to no tensor. The file is damaged.");
    }

    private static long[]? Whole(JsonElement array)
    {
        if (array.ValueKind != JsonValueKind.Array) return null;
        List<long> numbers = [];
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long number) || number < 0) return null;
            numbers.Add(number);
        }

        return [.. numbers];
    }

    private static int Bits(string type) => type switch
    {
        "F64" or "I64" or "U64" => 64,
        "F32" or "I32" or "U32" => 32,
        "F16" or "BF16" or "I16" or "U16" => 16,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" => 8,
        _ => 0,
    };

    private static BadModelException Bad(string file, string problem, string? tensor = null) =>
        new(tensor is null ? $"{file}: {problem}" : $"{file}: tensor {tensor}: {problem}");
}

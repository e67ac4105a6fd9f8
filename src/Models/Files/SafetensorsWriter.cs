using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Models;

/// <summary>Puts a tensor's float32 numbers, in the order they are to be stored, into the span.</summary>
public delegate void TensorFill(Span<float> destination);

/// <summary>Puts a tensor's float32 numbers from <paramref name="first"/> on, in the order they are to be stored, into the span.</summary>
public delegate void TensorPart(long first, Span<float> destination);

/// <summary>One tensor to be written.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="Shape">As stored.</param>
/// <param name="Fill">Called once while writing.</param>
public sealed record SafetensorsOutput(string Name, IReadOnlyList<long> Shape, TensorFill Fill)
{
    /// <summary>How many numbers.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>The numbers themselves where they lie in memory already: written from there, without <see cref="Fill"/>.</summary>
    public ReadOnlyMemory<float> Values { get; private init; }

    /// <summary>A flat tensor whose numbers lie in memory.</summary>
    public static SafetensorsOutput Of(string name, float[] values) => new(name, [values.Length], values.CopyTo) { Values = values };

    /// <summary>A flat tensor of any size that is fetched piece by piece, in order.</summary>
    /// <param name="name">In the file.</param>
    /// <param name="count">How many numbers.</param>
    /// <param name="part">Called once a piece while writing.</param>
    /// <param name="numbersAtOnce">Of a piece: 64 MiB unless told.</param>
    public static SafetensorsOutput InParts(string name, long count, TensorPart part, int numbersAtOnce = 1 << 24) =>
        new(name, [count], destination => part(0, destination)) { Part = part, BufferNumbers = (int)Math.Min(count, numbersAtOnce) };

    /// <summary>Where not null, called instead of <see cref="Fill"/>.</summary>
    private TensorPart? Part { get; init; }

    /// <summary>Numbers that the writer must have room for; null: all.</summary>
    private int? BufferNumbers { get; init; }

    /// <summary>Room for what <see cref="Pieces"/> needs.</summary>
    internal int Room => !Values.IsEmpty ? 0 : BufferNumbers ?? checked((int)Count);

    /// <summary>Hands all numbers over in order.</summary>
    /// <param name="room">At least <see cref="Room"/> numbers, overwritten.</param>
    /// <param name="write">Takes a piece.</param>
    internal void Pieces(Span<float> room, TensorPiece write)
    {
        if (!Values.IsEmpty)
        {
            write(Values.Span);
            return;
        }

        for (long done = 0; done < Count;)
        {
            Span<float> piece = room[..(int)Math.Min(Room, Count - done)];
            if (Part is null) Fill(piece);
            else Part(done, piece);
            write(piece);
            done += piece.Length;
        }
    }
}

/// <summary>Takes some of a tensor's numbers.</summary>
internal delegate void TensorPiece(ReadOnlySpan<float> numbers);

/// <summary>
/// Writes safetensors files that depend on nothing but the tensors: names sorted, data aligned to 8 bytes, no time stamps. A file
/// appears whole or not at all.
/// </summary>
public static class SafetensorsWriter
{
    // What is hashed and what is written is still in the cache then.
    private const int ChunkBytes = 1 << 20;

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes one file.</summary>
    public static void Write(string path, IEnumerable<SafetensorsOutput> tensors, SafetensorsType type)
    {
        SafetensorsOutput[] sorted = Sorted(tensors);
        WholeFile.Write(path, stream => WriteTo(stream, sorted, type));
    }

    /// <summary>Writes one file and gives its SHA-256, taken on the way.</summary>
    public static string WriteHashed(string path, IEnumerable<SafetensorsOutput> tensors, SafetensorsType type)
    {
        SafetensorsOutput[] sorted = Sorted(tensors);
        string sha256 = "";
        WholeFile.Write(path, stream =>
        {
            using var hashing = new HashingStream(stream);
            WriteTo(hashing, sorted, type);
            sha256 = hashing.TakeSha256();
        });
        return sha256;
    }

    /// <summary>
    /// Writes <c>model.safetensors</c> into a folder or, where that would pass <paramref name="maximumShardBytes"/>, shards and
    /// <c>model.safetensors.index.json</c>. A tensor is never cut. Weights of an earlier save that are no longer used are removed.
    /// </summary>
    public static void WriteFolder(string folder, IEnumerable<SafetensorsOutput> tensors, SafetensorsType type, long maximumShardBytes = long.MaxValue)
    {
        SafetensorsOutput[] sorted = Sorted(tensors);
        List<List<SafetensorsOutput>> shards = Shards(sorted, type, maximumShardBytes);
        string index = Path.Combine(folder, SafetensorsReader.IndexFile), single = Path.Combine(folder, SafetensorsReader.SingleFile);
        string[] old = Directory.GetFiles(folder, "model-?????-of-?????.safetensors");
        if (shards.Count <= 1)
        {
            WholeFile.Write(single, stream => WriteTo(stream, sorted, type));
            File.Delete(index);
            foreach (string file in old) File.Delete(file);
            return;
        }

        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        HashSet<string> written = new(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string name = $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            foreach (SafetensorsOutput tensor in shards[i]) map[tensor.Name] = name;
            List<SafetensorsOutput> shard = shards[i];
            WholeFile.Write(Path.Combine(folder, name), stream => WriteTo(stream, shard, type));
            written.Add(name);
        }

        WholeFile.Write(index, stream => WriteIndex(stream, map, sorted.Sum(t => t.Count) * type.Size()));
        File.Delete(single);
        foreach (string file in old.Where(f => !written.Contains(Path.GetFileName(f)))) File.Delete(file);
    }

    private static SafetensorsOutput[] Sorted(IEnumerable<SafetensorsOutput> tensors)
    {
        SafetensorsOutput[] sorted = [.. tensors.OrderBy(t => t.Name, StringComparer.Ordinal)];
        for (int i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].Name == sorted[i - 1].Name) throw new ArgumentException($"Tensor {sorted[i].Name} is given twice.", nameof(tensors));
        }

        return sorted;
    }

    private static List<List<SafetensorsOutput>> Shards(SafetensorsOutput[] sorted, SafetensorsType type, long maximum)
    {
        List<List<SafetensorsOutput>> shards = [[]];
        long used = 0;
        foreach (SafetensorsOutput tensor in sorted)
        {
            long bytes = tensor.Count * type.Size();
            if (used > 0 && used + bytes > maximum)
            {
                shards.Add([]);
                used = 0;
            }

            shards[^1].Add(tensor);
            used += bytes;
        }

        return shards;
    }

    private static void WriteTo(Stream stream, IReadOnlyList<SafetensorsOutput> tensors, SafetensorsType type)
    {
        byte[] header = Header(tensors, type);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        float[] numbers = new float[tensors.Select(t => t.Room).DefaultIfEmpty(0).Max()];
        bool asTheyLie = type == SafetensorsType.F32 && BitConverter.IsLittleEndian;
        byte[] bytes = asTheyLie ? [] : new byte[ChunkBytes];
        foreach (SafetensorsOutput tensor in tensors) tensor.Pieces(numbers, Write);

        void Write(ReadOnlySpan<float> values)
        {
            for (int done = 0, count; done < values.Length; done += count)
            {
                count = Math.Min(ChunkBytes / type.Size(), values.Length - done);
                ReadOnlySpan<float> part = values.Slice(done, count);
                if (asTheyLie)
                {
                    stream.Write(MemoryMarshal.AsBytes(part));
                    continue;
                }

                Span<byte> stored = bytes.AsSpan(0, count * type.Size());
                FloatConversion.FromSingle(part, type, stored);
                stream.Write(stored);
            }
        }
    }

    private static byte[] Header(IReadOnlyList<SafetensorsOutput> tensors, SafetensorsType type)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt"); // Hugging Face's loader refuses files without it
            json.WriteEndObject();
            long offset = 0;
            foreach (SafetensorsOutput tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", type.ToString());
                json.WriteStartArray("shape");
                foreach (long size in tensor.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Count * type.Size());
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteIndex(Stream stream, SortedDictionary<string, string> map, long totalBytes)
    {
        using var json = new Utf8JsonWriter(stream, Plain with { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", totalBytes);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string name, string file) in map) json.WriteString(name, file);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}

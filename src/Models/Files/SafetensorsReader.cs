using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Rlhf.Core;

namespace Rlhf.Models;

/// <summary>
/// Reads the weights of a model folder: <c>model.safetensors</c>, or shards named by <c>model.safetensors.index.json</c>. Files are
/// memory-mapped and converted straight into the destination; there is no copy in between. Dispose unmaps them.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    public const string SingleFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    private readonly Dictionary<string, SafetensorsEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, MappedFile> _files = new(StringComparer.Ordinal);

    private SafetensorsReader(string source) => Source = source;

    /// <summary>The folder or file, for messages.</summary>
    public string Source { get; }

    /// <summary>Every tensor by its Hugging Face name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _entries;

    /// <summary>The files' own <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>Opens a model folder or one safetensors file.</summary>
    /// <exception cref="BadModelException">Missing, truncated or damaged; names the file and the tensor.</exception>
    public static SafetensorsReader Open(string folderOrFile)
    {
        var reader = new SafetensorsReader(folderOrFile);
        try
        {
            string single = Path.Combine(folderOrFile, SingleFile), index = Path.Combine(folderOrFile, IndexFile);
            if (File.Exists(folderOrFile)) reader.Add(folderOrFile);
            else if (File.Exists(index)) reader.AddShards(folderOrFile, index);
            else if (File.Exists(single)) reader.Add(single);
            else throw new BadModelException($"{folderOrFile}: no weights found; expected {SingleFile} or {IndexFile}.");
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The entry of a tensor.</summary>
    /// <exception cref="BadModelException">There is none of this name.</exception>
    public SafetensorsEntry Entry(string name) => _entries.TryGetValue(name, out SafetensorsEntry? entry)
        ? entry
        : throw new BadModelException($"{Source}: tensor {name} is missing; the weights do not belong to this config.json, or a shard is missing.");

    /// <summary>Reads a tensor as float32, in the stored order.</summary>
    /// <param name="name">Hugging Face name.</param>
    /// <param name="destination">Exactly as many numbers as the tensor has.</param>
    /// <param name="refuseNonFinite">True: NaN or infinity is an error that names the tensor and the place.</param>
    /// <exception cref="BadModelException">Missing, of another size, of a type that is no weight, or not finite.</exception>
    public void Read(string name, Span<float> destination, bool refuseNonFinite = false)
    {
        RequireCount(name, destination.Length);
        ReadPart(name, 0, destination, refuseNonFinite);
    }

    /// <summary>Reads some numbers of a tensor as float32.</summary>
    /// <param name="name">Hugging Face name.</param>
    /// <param name="first">The first number, in the stored order.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <param name="refuseNonFinite">True: NaN or infinity is an error that names the tensor and the place.</param>
    /// <exception cref="BadModelException">Missing, smaller, of a type that is no weight, or not finite.</exception>
    public void ReadPart(string name, long first, Span<float> destination, bool refuseNonFinite = false)
    {
        SafetensorsEntry entry = Entry(name);
        if (first < 0 || first > entry.Count - destination.Length)
            throw new BadModelException($"{entry.File}: tensor {name}: it has {entry.Count} numbers; {destination.Length} from number {first} on are asked for.");
        SafetensorsType type = WeightType(entry);
        for (int done = 0, count; done < destination.Length; done += count)
        {
            count = Math.Min(HostTensors.SliceNumbers, destination.Length - done);
            ReadOnlySpan<byte> bytes = _files[entry.File].Bytes(entry.Offset + ((first + done) * type.Size()), count * type.Size());
            FloatConversion.ToSingle(bytes, type, destination.Slice(done, count));
        }

        if (refuseNonFinite && FloatConversion.IndexOfNonFinite(destination) is >= 0 and int place)
            throw new BadModelException($"{entry.File}: tensor {name}: number {first + place} is {destination[place]}; weights must be finite.");
    }

    /// <summary>Holds the number of a tensor's numbers against what is expected.</summary>
    /// <exception cref="BadModelException">Missing, or of another size.</exception>
    public void RequireCount(string name, long count)
    {
        SafetensorsEntry entry = Entry(name);
        if (entry.Count != count)
            throw new BadModelException($"{entry.File}: tensor {name}: shape [{string.Join(", ", entry.Shape)}] has {entry.Count} numbers; {count} expected.");
    }

    /// <summary>The stored bytes of a tensor, as mapped. Valid until the reader is disposed.</summary>
    /// <exception cref="BadModelException">Missing, or larger than 2 GiB.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        SafetensorsEntry entry = Entry(name);
        if (entry.Length > int.MaxValue) throw new BadModelException($"{entry.File}: tensor {name}: {entry.Length} bytes are more than one span holds.");
        return _files[entry.File].Bytes(entry.Offset, (int)entry.Length);
    }

    /// <summary>The type of a tensor that holds weights.</summary>
    /// <exception cref="BadModelException">The tensor is of an integer or other type.</exception>
    public static SafetensorsType WeightType(SafetensorsEntry entry) => entry.StoredType switch
    {
        "F32" => SafetensorsType.F32,
        "F16" => SafetensorsType.F16,
        "BF16" => SafetensorsType.BF16,
        string other => throw new BadModelException($"{entry.File}: tensor {entry.Name}: dtype {other} cannot be read; weights are F32, F16 or BF16."),
    };

    public void Dispose()
    {
        foreach (MappedFile file in _files.Values) file.Dispose();
        _files.Clear();
    }

    private void AddShards(string folder, string index)
    {
        Dictionary<string, string> shardOf = ReadIndex(index);
        foreach (string shard in shardOf.Values.Distinct().Order(StringComparer.Ordinal))
        {
            if (shard.Length == 0 || Path.GetFileName(shard) != shard || shard is "." or "..")
                throw new BadModelException($"{index}: shard \"{shard}\" must be a plain file name beside the index.");
            Add(Path.Combine(folder, shard));
        }

        foreach ((string name, string shard) in shardOf)
        {
            if (!_entries.TryGetValue(name, out SafetensorsEntry? entry) || Path.GetFileName(entry.File) != shard)
                throw new BadModelException($"{index}: tensor {name}: it is not in {shard}, where the index puts it.");
        }

        foreach (SafetensorsEntry entry in _entries.Values)
        {
            if (!shardOf.ContainsKey(entry.Name)) throw new BadModelException($"{entry.File}: tensor {entry.Name}: it is not in {index}.");
        }
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(index), new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("weight_map", out JsonElement map) && map.ValueKind == JsonValueKind.Object
                && map.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.String))
                return map.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: text that is not UTF-8
        {
            throw new BadModelException($"{index}: not valid JSON ({e.Message}).", e);
        }

        throw new BadModelException($"{index}: it must have an object weight_map from tensor names to file names.");
    }

    private void Add(string path)
    {
        if (!File.Exists(path)) throw new BadModelException($"{path}: file not found; the index names it. Copy every shard of the model.");
        using FileStream stream = File.OpenRead(path);
        (IReadOnlyList<SafetensorsEntry> entries, Metadata) = SafetensorsHeader.Read(stream, path);
        foreach (SafetensorsEntry entry in entries)
        {
            if (!_entries.TryAdd(entry.Name, entry))
                throw new BadModelException($"{path}: tensor {entry.Name}: it is also in {_entries[entry.Name].File}.");
        }

        _files[path] = new MappedFile(path);
    }

    /// <summary>One file in memory for reading.</summary>
    private sealed unsafe class MappedFile : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;

        public MappedFile(string path)
        {
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            SafeMemoryMappedViewHandle handle = _view.SafeMemoryMappedViewHandle;
            handle.AcquirePointer(ref _start);
        }

        /// <summary>Offsets were checked against the file's length when its header was read.</summary>
        public ReadOnlySpan<byte> Bytes(long offset, int count) => new(_start + offset, count);

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}

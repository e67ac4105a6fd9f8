using System.Globalization;

namespace Rlhf.Core;

/// <summary>
/// Looks through an ONNX file before any engine opens it: it is a whole protobuf message with a graph, and every external weight lies inside
/// the file's folder and inside its data file. A model file is data from somewhere: it must not make an engine read elsewhere.
/// </summary>
public static class OnnxFile
{
    private const int MaximumDepth = 32;

    // Numbers of the ONNX specification.
    private const int ModelGraph = 7, ModelFunctions = 25, GraphNode = 1, GraphInitializer = 5, GraphSparse = 15, FunctionNode = 7, NodeAttribute = 5;
    private const int AttributeTensor = 5, AttributeGraph = 6, AttributeTensors = 10, AttributeGraphs = 11, AttributeSparse = 22, AttributeSparses = 23;
    private const int TensorDims = 1, TensorType = 2, TensorName = 8, TensorExternal = 13, TensorLocation = 14, SparseValues = 1, SparseIndices = 2;

    /// <summary>Checks a file.</summary>
    /// <returns>The external data files that it names, absolute, in ordinal order.</returns>
    /// <exception cref="BadModelException">It is missing, no ONNX file, or names weights that are missing, truncated or outside its folder.</exception>
    public static IReadOnlyList<string> Check(string path)
    {
        byte[] bytes;
        try
        {
            long length = new FileInfo(path).Length;
            if (length > int.MaxValue) throw new BadModelException($"{path}: the file has {length} bytes; an ONNX file has at most 2 GiB, with larger weights in a data file beside it.");
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            throw new BadModelException(FileErrors.ForReading(path, error).Message, error);
        }

        try
        {
            bool hasNode = false;
            Looked at = new(path);
            WireReader model = new(bytes);
            for (int field; (field = model.Next()) != 0;)
            {
                if (field == ModelGraph && model.HasBytes) hasNode |= Graph(model.Bytes, at, GraphNode, 0);
                else if (field == ModelFunctions && model.HasBytes) Graph(model.Bytes, at, FunctionNode, 0);
            }

            if (!hasNode) throw new BadModelException($"{path}: the file parses but holds no graph ({bytes.Length} bytes). Export or copy it again.");
            return [.. at.DataFiles];
        }
        catch (FormatException error)
        {
            throw new BadModelException($"{path}: not an ONNX file, or a damaged one ({error.Message}). Export or copy it again.", error);
        }
    }

    // A function has nodes too, under another number, and no weights.
    private static bool Graph(ReadOnlySpan<byte> message, Looked at, int nodeField, int depth)
    {
        if (depth > MaximumDepth) throw new FormatException($"graphs are nested deeper than {MaximumDepth}");
        bool hasNode = false;
        WireReader graph = new(message);
        for (int field; (field = graph.Next()) != 0;)
        {
            if (!graph.HasBytes) continue;
            if (field == nodeField)
            {
                hasNode = true;
                Node(graph.Bytes, at, depth);
            }
            else if (nodeField == GraphNode && field == GraphInitializer)
            {
                Tensor(graph.Bytes, at);
            }
            else if (nodeField == GraphNode && field == GraphSparse)
            {
                Sparse(graph.Bytes, at);
            }
        }

        return hasNode;
    }

    private static void Node(ReadOnlySpan<byte> message, Looked at, int depth)
    {
        WireReader node = new(message);
        for (int field; (field = node.Next()) != 0;)
        {
            if (field != NodeAttribute || !node.HasBytes) continue;
            WireReader attribute = new(node.Bytes);
            for (int inner; (inner = attribute.Next()) != 0;)
            {
                if (!attribute.HasBytes) continue;
                if (inner is AttributeTensor or AttributeTensors) Tensor(attribute.Bytes, at);
                else if (inner is AttributeGraph or AttributeGraphs) Graph(attribute.Bytes, at, GraphNode, depth + 1);
                else if (inner is AttributeSparse or AttributeSparses) Sparse(attribute.Bytes, at);
            }
        }
    }

    private static void Sparse(ReadOnlySpan<byte> message, Looked at)
    {
        WireReader sparse = new(message);
        for (int field; (field = sparse.Next()) != 0;)
        {
            if (field is SparseValues or SparseIndices && sparse.HasBytes) Tensor(sparse.Bytes, at);
        }
    }

    private static void Tensor(ReadOnlySpan<byte> message, Looked at)
    {
        string name = "";
        int type = 0;
        bool external = false;
        List<long> shape = [];
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        WireReader tensor = new(message);
        for (int field; (field = tensor.Next()) != 0;)
        {
            switch (field)
            {
                case TensorDims when tensor.HasBytes:
                    WireReader packed = new(tensor.Bytes);
                    while (!packed.IsAtEnd) shape.Add((long)packed.Varint());
                    break;
                case TensorDims:
                    shape.Add((long)tensor.Number);
                    break;
                case TensorType:
                    type = (int)tensor.Number;
                    break;
                case TensorName when tensor.HasBytes:
                    name = tensor.Text;
                    break;
                case TensorLocation:
                    external |= tensor.Number == 1;
                    break;
                case TensorExternal when tensor.HasBytes:
                    (string key, string value) = Entry(tensor.Bytes);
                    // An engine might take the other one of two.
                    if (!entries.TryAdd(key, value)) throw new FormatException($"weight '{name}' has two external entries '{key}'");
                    break;
            }
        }

        // Entries without the flag are read by some engines all the same.
        if (external || entries.Count > 0) External($"{at.Path}: weight '{name}'", at, type, shape, entries);
    }

    private static (string Key, string Value) Entry(ReadOnlySpan<byte> message)
    {
        string key = "", value = "";
        WireReader entry = new(message);
        for (int field; (field = entry.Next()) != 0;)
        {
            if (field == 1 && entry.HasBytes) key = entry.Text;
            else if (field == 2 && entry.HasBytes) value = entry.Text;
        }

        return (key, value);
    }

    private static void External(string at, Looked file, int type, List<long> shape, Dictionary<string, string> entries)
    {
        string location = entries.GetValueOrDefault("location") ?? throw new BadModelException($"{at} is external but names no file. Export the model again.");
        string data = SafePath.Inside(file.Folder, location)
            ?? throw new BadModelException($"{at} points to '{location}'; weights must lie inside the model's folder. Do not use this model unless you know who made it.");
        if (!File.Exists(data)) throw new BadModelException($"{at} needs {data}, which is missing. Copy the whole folder, data file included.");
        file.DataFiles.Add(data);
        using FileStream stream = FileErrors.Reading(data, () => File.OpenRead(data));
        long there = stream.Length, offset = Number(entries, "offset", at) ?? 0, stored = Number(entries, "length", at) ?? there - offset;
        if (offset > there || stored > there - offset)
        {
            throw new BadModelException(
                $"{at} lies at bytes {offset} to {(decimal)offset + stored} of {data}, which has {there} bytes: the data file is truncated or belongs to another model. Copy or export it again.");
        }

        if (Bytes(type, shape) is not { } needed) throw new BadModelException($"{at} has the impossible shape [{string.Join(", ", shape)}]. Export the model again.");
        if (needed > stored) throw new BadModelException($"{at} is [{string.Join(", ", shape)}], {needed} bytes, but its entry says {stored} bytes at {offset}. Export the model again.");
    }

    private static long? Number(Dictionary<string, string> entries, string key, string at)
    {
        if (!entries.TryGetValue(key, out string? text)) return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return number;
        throw new BadModelException($"{at}: {key} is '{text}'; expected a whole number of bytes. Export the model again.");
    }

    // Null where no file can hold it.
    private static long? Bytes(int type, List<long> shape)
    {
        long bits = type switch
        {
            1 or 6 or 12 => 32, // float, int32, uint32
            7 or 11 or 13 or 14 => 64, // int64, double, uint64, complex64
            15 => 128,
            4 or 5 or 10 or 16 => 16, // uint16, int16, float16, bfloat16
            2 or 3 or 9 or 17 or 18 or 19 or 20 => 8, // uint8, int8, bool, float8
            21 or 22 or 23 => 4,
            _ => 0, // the engine knows or refuses it
        };
        try
        {
            long count = 1;
            foreach (long size in shape)
            {
                if (size < 0) return null;
                count = checked(count * size);
            }

            return checked((count * bits) + 7) / 8;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    /// <summary>The file that is looked through, and what it names.</summary>
    private sealed record Looked(string Path)
    {
        public string Folder { get; } = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;

        public SortedSet<string> DataFiles { get; } = new(StringComparer.Ordinal);
    }
}

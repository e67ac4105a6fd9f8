using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Rlhf.Core;
using Rlhf.Export.Onnx;
using Rlhf.Models;

namespace Rlhf.Export;

/// <summary>What an ONNX folder is for.</summary>
public enum OnnxFolderKind
{
    /// <summary>genai_config.json: a decoder that generates.</summary>
    Policy,

    /// <summary>rlhf_config.json: a reward model.</summary>
    Reward,
}

/// <summary>
/// An ONNX folder that was checked before any engine opens it: the files are there, every graph parses, and every weight lies inside the
/// folder and inside its file. A model file is data from somewhere: it must not make an engine read elsewhere.
/// </summary>
public sealed class OnnxFolder
{
    private OnnxFolder(string path, OnnxFolderKind kind, IReadOnlyList<string> graphs, JsonElement configuration)
    {
        Path = path;
        Kind = kind;
        Graphs = graphs;
        Configuration = configuration;
    }

    public string Path { get; }

    public OnnxFolderKind Kind { get; }

    /// <summary>The *.onnx files that were checked; model.onnx is the first.</summary>
    public IReadOnlyList<string> Graphs { get; }

    /// <summary>genai_config.json or rlhf_config.json.</summary>
    public JsonElement Configuration { get; }

    /// <summary>Longest sequence that the model takes.</summary>
    public int MaxPositions => Kind == OnnxFolderKind.Policy
        ? Configuration.GetProperty("model").GetProperty("context_length").GetInt32()
        : Configuration.GetProperty("max_length").GetInt32();

    public int VocabularySize => Kind == OnnxFolderKind.Policy
        ? Configuration.GetProperty("model").GetProperty("vocab_size").GetInt32()
        : Configuration.GetProperty("vocab_size").GetInt32();

    /// <summary>SHA-256 of the weights, in hexadecimal: stamps every rollout with the policy that drew it.</summary>
    public string WeightsHash() => Sha256.OfFile(System.IO.Path.Combine(Path, DataLayout.FileName));

    /// <summary>Checks a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="expected">What it must be; null: either.</param>
    /// <exception cref="BadModelException">It is missing, incomplete, damaged, unsafe, or of the other kind.</exception>
    public static OnnxFolder Open(string path, OnnxFolderKind? expected = null)
    {
        if (!Directory.Exists(path))
            throw new BadModelException($"{path}: no such folder. Expected an ONNX folder with model.onnx, its weights, its configuration and tokenizer.json; 'rlhf-optimize export' makes one.");
        string model = System.IO.Path.Combine(path, OnnxExporter.Model);
        if (!File.Exists(model))
        {
            string hint = File.Exists(System.IO.Path.Combine(path, "config.json"))
                ? "It looks like a Hugging Face folder: make an ONNX folder of it with 'rlhf-optimize export --model DIR --out DIR'."
                : "Name the folder that holds model.onnx itself.";
            throw new BadModelException($"{path}: no model.onnx. {hint}");
        }

        bool policy = File.Exists(System.IO.Path.Combine(path, GenAiConfig.FileName)), reward = File.Exists(System.IO.Path.Combine(path, OnnxExporter.RewardConfig));
        if (!policy && !reward)
        {
            string missing = expected == OnnxFolderKind.Reward ? OnnxExporter.RewardConfig
                : expected == OnnxFolderKind.Policy ? GenAiConfig.FileName : $"{GenAiConfig.FileName} (policy) and no {OnnxExporter.RewardConfig} (reward model)";
            throw new BadModelException($"{path}: no {missing} beside model.onnx, so its inputs and lengths are unknown. Copy it from where the model was exported, or export the model again.");
        }

        OnnxFolderKind kind = policy ? OnnxFolderKind.Policy : OnnxFolderKind.Reward;
        if (expected is not null && expected != kind)
        {
            throw new BadModelException(
                $"{path}: this is a {Name(kind)} (it has {(policy ? GenAiConfig.FileName : OnnxExporter.RewardConfig)}); expected a {Name(expected.Value)}. Check which folder goes to which option.");
        }

        if (!File.Exists(System.IO.Path.Combine(path, TokenizerParts.Required)))
        {
            throw new BadModelException(
                $"{path}: no {TokenizerParts.Required}. Text cannot be turned into the tokens that this model was trained on; copy tokenizer.json (and tokenizer_config.json) from the model it was exported from.");
        }

        JsonElement configuration = ReadJson(System.IO.Path.Combine(path, policy ? GenAiConfig.FileName : OnnxExporter.RewardConfig), kind);
        string[] graphs = [.. new[] { OnnxExporter.Model, OnnxExporter.Rollout, OnnxExporter.Sampled, OnnxExporter.Scorer, OnnxExporter.Debug, OnnxExporter.CachedReward, OnnxExporter.TokenRewards, OnnxExporter.CachedScorer }
            .Where(name => File.Exists(System.IO.Path.Combine(path, name)))];
        foreach (string name in graphs) CheckGraph(System.IO.Path.Combine(path, name), path);
        return new(System.IO.Path.GetFullPath(path), kind, graphs, configuration);
    }

    private static string Name(OnnxFolderKind kind) => kind == OnnxFolderKind.Policy ? "policy" : "reward model";

    private static JsonElement ReadJson(string file, OnnxFolderKind kind)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement root = json.RootElement.Clone();
            JsonElement numbers = kind == OnnxFolderKind.Policy ? root.GetProperty("model") : root;
            foreach (string key in (string[])(kind == OnnxFolderKind.Policy ? ["context_length", "vocab_size"] : ["max_length", "vocab_size"]))
            {
                if (numbers.GetProperty(key).GetInt32() <= 0) throw new JsonException($"'{key}' is not positive");
            }

            return root;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{file}: not a configuration that can be used ({e.Message.TrimEnd('.')}). Export the model again.", e);
        }
    }

    private static void CheckGraph(string file, string folder)
    {
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(file));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new BadModelException($"{file}: not an ONNX file, or a truncated one ({e.Message.TrimEnd('.')}). Export or copy it again.", e);
        }

        if (model.Graph is null || model.Graph.Node.Count == 0)
            throw new BadModelException($"{file}: the file parses but holds no graph ({new FileInfo(file).Length} bytes). Export or copy it again.");
        CheckTensors(model.Graph, file, folder);
    }

    private static void CheckTensors(GraphProto graph, string file, string folder)
    {
        foreach (TensorProto tensor in graph.Initializer) CheckTensor(tensor, file, folder);
        foreach (AttributeProto attribute in graph.Node.SelectMany(node => node.Attribute))
        {
            if (attribute.T is not null) CheckTensor(attribute.T, file, folder);
            if (attribute.G is not null) CheckTensors(attribute.G, file, folder);
            foreach (GraphProto inner in attribute.Graphs) CheckTensors(inner, file, folder);
        }
    }

    private static void CheckTensor(TensorProto tensor, string file, string folder)
    {
        if (tensor.DataLocation != TensorProto.Types.DataLocation.External) return;
        string at = $"{file}: weight '{tensor.Name}'";
        string location = Value(tensor, "location") ?? throw new BadModelException($"{at} is external but names no file. Export the model again.");
        if (location.Length == 0 || System.IO.Path.IsPathRooted(location) || location.AsSpan().IndexOfAny("\\:\0") >= 0
            || location.Split('/').Any(part => part is ".." or "." or ""))
        {
            throw new BadModelException(
                $"{at} points to '{location}'; weights must lie inside the model's folder. Do not use this model unless you know who made it.");
        }

        string data = System.IO.Path.Combine(folder, location);
        FileInfo info = new(data);
        if (!info.Exists) throw new BadModelException($"{at} needs {data}, which is missing. Copy the whole folder, data file included.");
        if (info.ResolveLinkTarget(returnFinalTarget: true) is { } target && !IsInside(target.FullName, folder))
            throw new BadModelException($"{at} lies in {data}, a link out of the model's folder. Replace the link by the file.");

        long length = info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo real ? real.Length : info.Length;
        long bytes, elementSize = ElementSize(tensor, at);
        try
        {
            bytes = tensor.Dims.Aggregate(elementSize, (a, b) => b < 0 ? throw new OverflowException() : checked(a * b));
        }
        catch (OverflowException e)
        {
            throw new BadModelException($"{at} has the impossible shape [{string.Join(", ", tensor.Dims)}]. Export the model again.", e);
        }

        long offset = Number(tensor, "offset", at) ?? 0, stored = Number(tensor, "length", at) ?? bytes;
        if (offset < 0 || stored != bytes)
            throw new BadModelException($"{at} is [{string.Join(", ", tensor.Dims)}], {bytes} bytes, but its entry says {stored} bytes at {offset}. Export the model again.");
        if (offset > length - bytes)
        {
            throw new BadModelException(
                $"{at} ends at byte {offset + bytes} of {data}, which has {length} bytes: the data file is truncated or belongs to another model. Copy or export it again.");
        }
    }

    private static bool IsInside(string path, string folder)
    {
        string root = System.IO.Path.GetFullPath(folder);
        DirectoryInfo info = new(root);
        root = info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? root;
        return path.StartsWith(System.IO.Path.TrimEndingDirectorySeparator(root) + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }

    private static string? Value(TensorProto tensor, string key) => tensor.ExternalData.FirstOrDefault(entry => entry.Key == key)?.Value;

    private static long? Number(TensorProto tensor, string key, string at)
    {
        if (Value(tensor, key) is not { } text) return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return number;
        throw new BadModelException($"{at}: {key} is '{text}'; expected a whole number of bytes. Export the model again.");
    }

    private static long ElementSize(TensorProto tensor, string at) => (TensorProto.Types.DataType)tensor.DataType switch
    {
        TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Int32 => 4,
        TensorProto.Types.DataType.Int64 => 8,
        TensorProto.Types.DataType.Float16 => 2,
        TensorProto.Types.DataType.Bool => 1,
        _ => throw new BadModelException($"{at} has element type {tensor.DataType}; float32, float16, int32, int64 and bool are read. Export the model again."),
    };
}

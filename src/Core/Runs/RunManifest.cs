using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Rlhf.Core;

/// <summary>What a run was made with: enough to make it again. Written as <c>manifest.json</c>.</summary>
public sealed record RunManifest
{
    /// <summary>The layout of the run directory; raised when a reader must know.</summary>
    public int FormatVersion { get; init; } = 1;

    public required ulong Seed { get; init; }

    /// <summary>Compute threads of each engine.</summary>
    public required int Threads { get; init; }

    /// <summary>SHA-256 of <c>config.resolved.yaml</c>.</summary>
    public string ConfigSha256 { get; init; } = "";

    /// <summary>Name → version of everything that computes: this program, .NET, ONNX Runtime, GenAI, libtorch, DuckDB.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>Name → SHA-256 of what went in: models, prompt files, data sets.</summary>
    public IReadOnlyDictionary<string, string> Inputs { get; init; } = new Dictionary<string, string>();

    /// <summary>Rewards from programs, endpoints and assemblies, as options of the command line: they run only when they are named there again.</summary>
    public IReadOnlyList<string> OutsideRewards { get; init; } = [];

    /// <summary>Values that 'rlhf resume' changed, in that order: they hold for all that comes after.</summary>
    public IReadOnlyList<ConfigChange> Changes { get; init; } = [];

    public string OperatingSystem { get; init; } = RuntimeInformation.OSDescription;
    public string Architecture { get; init; } = RuntimeInformation.ProcessArchitecture.ToString();
    public int Processors { get; init; } = Environment.ProcessorCount;

    /// <summary>The command line that began the run.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>When the run began (UTC).</summary>
    public DateTimeOffset Started { get; init; } = TimeProvider.System.GetUtcNow();
}

/// <summary>Values that may change within a run and did.</summary>
/// <param name="AfterIteration">From the one after this on.</param>
/// <param name="Set">As texts for --set: key=value.</param>
public sealed record ConfigChange(int AfterIteration, IReadOnlyList<string> Set);

/// <summary>How the JSON files of a run directory look.</summary>
internal static class RunJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NewLine = "\n",
        MaxDepth = 16,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>For files with one object a line.</summary>
    public static JsonSerializerOptions Lines { get; } = new(Options) { WriteIndented = false };

    public static void Write<T>(string path, T value) => WholeFile.WriteAllText(path, JsonSerializer.Serialize(value, Options) + "\n");

    public static T Read<T>(string path) => FileErrors.Reading(path, () =>
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            using JsonDocument document = JsonDocument.Parse(stream, new JsonDocumentOptions { MaxDepth = Options.MaxDepth });
            RefuseNullsInLists(document.RootElement);
            return document.Deserialize<T>(Options) ?? throw new JsonException("the document is null");
        }
        catch (JsonException error)
        {
            throw new BadDataException($"'{path}' is damaged: {error.Message.TrimEnd('.')}. Restore it, or begin a new run.", error);
        }
    });

    /// <summary>The serializer checks nulls of properties, not of list elements.</summary>
    private static void RefuseNullsInLists(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject()) RefuseNullsInLists(property.Value);
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                if (item.ValueKind == JsonValueKind.Null) throw new JsonException("a list has null in it");
                RefuseNullsInLists(item);
            }
        }
    }
}

using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>The table formats, told apart by the file's extension.</summary>
public enum FileFormat
{
    /// <summary>.parquet, .pq</summary>
    Parquet,

    /// <summary>.jsonl, .ndjson: one JSON object a line.</summary>
    JsonLines,

    /// <summary>.json: an array of objects.</summary>
    Json,

    /// <summary>.csv, .tsv: with a header line.</summary>
    Csv,
}

/// <summary>Names of table files.</summary>
public static class FileFormats
{
    private const string Known = ".parquet, .jsonl, .ndjson, .json, .csv or .tsv (text formats also with .gz)";

    /// <summary>The format that the extension names.</summary>
    /// <exception cref="BadDataException">The extension is none of those known.</exception>
    public static FileFormat Of(string path)
    {
        string name = IsGzip(path) ? path[..^3] : path;
        FileFormat? format = Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".parquet" or ".pq" => FileFormat.Parquet,
            ".jsonl" or ".ndjson" => FileFormat.JsonLines,
            ".json" => FileFormat.Json,
            ".csv" or ".tsv" => FileFormat.Csv,
            _ => null,
        };
        if (format is null) throw new BadDataException($"{path}: the extension names no known table format; expected {Known}. Rename the file.");
        if (format == FileFormat.Parquet && IsGzip(path))
            throw new BadDataException($"{path}: Parquet files are compressed inside; unpack the file with gunzip and name the .parquet file.");
        return format.Value;
    }

    /// <summary>True when the name ends in .gz.</summary>
    public static bool IsGzip(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    internal static char Delimiter(string path) =>
        (IsGzip(path) ? path[..^3] : path).EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',';
}

using System.Text.RegularExpressions;
using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>One or more files of one format, resolved and checked, as a SQL table expression.</summary>
internal sealed partial class DataSource
{
    private readonly char? _delimiter;

    private DataSource(string name, IReadOnlyList<string> files, FileFormat format, char? delimiter)
    {
        Name = name;
        Files = files;
        Format = format;
        _delimiter = delimiter;
    }

    /// <summary>What the user named: for messages.</summary>
    public string Name { get; }

    /// <summary>At least one existing file, in order.</summary>
    public IReadOnlyList<string> Files { get; }

    public FileFormat Format { get; }

    /// <exception cref="BadDataException">No file, an empty one, or formats mixed.</exception>
    public static DataSource Resolve(IReadOnlyList<string> paths, char? delimiter = null, FileFormat? format = null)
    {
        if (paths.Count == 0) throw new BadDataException("No data file is named.");
        var files = new List<string>();
        foreach (string path in paths) files.AddRange(FilesOf(path));
        string name = paths.Count == 1 ? paths[0] : $"{paths[0]} and {paths.Count - 1} more";
        FileFormat common = format ?? FileFormats.Of(files[0]);
        foreach (string file in files)
        {
            if (format is null && FileFormats.Of(file) != common)
                throw new BadDataException($"{file} is {FileFormats.Of(file)} but {files[0]} is {common}; files read together must have one format.");
            if (new FileInfo(file).Length == 0) throw new BadDataException($"{file} is empty (0 bytes); expected {common} data.");
            if (common == FileFormat.Parquet) ParquetFooter.Check(file);
        }

        return new DataSource(name, files, common, delimiter);
    }

    /// <summary>The table function over the files.</summary>
    /// <param name="columns">JSON only: name → SQL type, given instead of guessed.</param>
    /// <param name="wholeFile">Guess types from all rows, not from the first 20 000.</param>
    /// <param name="textOnly">CSV only: every column as it is written.</param>
    public string Table(IReadOnlyDictionary<string, string>? columns = null, bool wholeFile = false, bool textOnly = false)
    {
        string files = "[" + string.Join(", ", Files.Select(Sql.Path)) + "]";
        string union = Files.Count > 1 ? ", union_by_name=true" : "";
        string sample = wholeFile ? ", sample_size=-1" : "";
        switch (Format)
        {
            case FileFormat.Parquet:
                return $"read_parquet({files}, hive_partitioning=false, binary_as_string=true{union})";
            case FileFormat.Csv:
                char delimiter = _delimiter ?? FileFormats.Delimiter(Files[0]);
                string types = textOnly ? ", all_varchar=true" : "";
                return $"read_csv({files}, {Dialect(delimiter)}, hive_partitioning=false{types}{sample}{union})";
            default:
                string format = Format == FileFormat.JsonLines ? "newline_delimited" : "auto";
                string fields = columns is null ? "" : ", columns={" + string.Join(", ", columns.Select(c => Sql.Text(c.Key) + ": " + Sql.Text(c.Value))) + "}";
                return $"read_json({files}, format='{format}', maximum_object_size=16777216, map_inference_threshold=-1, hive_partitioning=false{fields}{sample}{union})";
        }
    }

    /// <summary>Names and SQL types as the file has them (Parquet) or as they are guessed (text formats).</summary>
    public IReadOnlyList<(string Name, string SqlType)> Describe(DuckDbSession session, string table)
    {
        try
        {
            var columns = session.Texts($"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {table})", 2).Select(r => (Name: r[0]!, SqlType: r[1]!));
            return [.. columns.Select(c => (c.Name, Format is FileFormat.Json or FileFormat.JsonLines ? Sql.WithoutGuessedTypes(c.SqlType) : c.SqlType))];
        }
        catch (DuckDbException e)
        {
            throw Damaged(Format == FileFormat.Csv ? CsvError(session) ?? e : e);
        }
    }

    /// <summary>When the guessing fails, a strict reading by the header names the line.</summary>
    private DuckDbException? CsvError(DuckDbSession session)
    {
        char delimiter = _delimiter ?? FileFormats.Delimiter(Files[0]);
        foreach (string file in Files)
        {
            try
            {
                IReadOnlyList<string> names = CsvHeader.Names(file, delimiter);
                string columns = string.Join(", ", names.Select((_, i) => $"'c{i}': 'VARCHAR'")), counts = string.Join(", ", names.Select((_, i) => $"count(c{i})"));
                session.Execute($"SELECT {counts} FROM read_csv({Sql.Path(file)}, auto_detect=false, columns={{{columns}}}, {Dialect(delimiter)})");
            }
            catch (DuckDbException e)
            {
                return e;
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                return new DuckDbException(e.Message);
            }
        }

        return null;
    }

    private static string Dialect(char delimiter) =>
        $"header=true, skip=0, delim={Sql.Text(delimiter.ToString())}, quote='\"', escape='\"', comment='', allow_quoted_nulls=false, max_line_size=16777216";

    public RlhfException Damaged(DuckDbException e)
    {
        if (e.IsOutOfMemory) return new EngineException($"DuckDB needs more memory than it may use to read {Name}: {e.Reason}. Raise the memory limit, or write the file with smaller row groups.", e);
        if (Format == FileFormat.JsonLines && LineError().Match(e.Reason) is { Success: true } m)
        {
            // DuckDB counts the line end in front of a malformed line twice; for a value of the wrong type it does not.
            bool malformed = m.Groups["kind"].Value == "Malformed JSON";
            long row = long.Parse(m.Groups["line"].Value) - (malformed ? 1 : 0);
            string what = malformed ? $"malformed JSON at byte {m.Groups["byte"].Value} of the line: {m.Groups["why"].Value}" : m.Groups["why"].Value;
            return new BadDataException($"{m.Groups["file"].Value}, row {row}: {what}. Correct the line or remove it.", e);
        }

        return Unreadable(e);
    }

    private BadDataException Unreadable(DuckDbException e) =>
        new($"{Name} cannot be read as {Format}: {e.Reason}. The file is damaged, cut short or not of the format that its extension names.", e);

    /// <summary>The files that a path or pattern stands for, whatever their format.</summary>
    /// <exception cref="BadDataException">A file is missing, or a pattern matches none.</exception>
    internal static IReadOnlyList<string> FilesOf(string path)
    {
        if (File.Exists(path)) return [path];
        if (Directory.Exists(path)) throw new BadDataException($"{path} is a folder; name a file or a pattern such as {Path.Combine(path, "*.parquet")}.");
        if (path.AsSpan().IndexOfAny("*?[") < 0) throw new BadDataException($"{path} does not exist. {Neighbours(path)}");
        try
        {
            using var session = new DuckDbSession();
            string[] files = [.. session.Texts($"SELECT file FROM glob({Sql.Text(path)})", 1).Select(r => r[0]!)];
            Array.Sort(files, StringComparer.Ordinal);
            return files.Length > 0 ? files : throw new BadDataException($"No file matches the pattern {path}.");
        }
        catch (DuckDbException e)
        {
            throw new BadDataException($"{path} is no pattern that can be searched: {e.Reason}.", e);
        }
    }

    private static string Neighbours(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (!Directory.Exists(folder)) return $"Its folder {folder} does not exist either.";
        string? near = NearestName.Of(Path.GetFileName(path), [.. Directory.EnumerateFiles(folder).Take(1000).Select(f => Path.GetFileName(f))]);
        return near is null ? "Check the name." : $"Did you mean {Path.Combine(folder, near)}?";
    }

    [GeneratedRegex("^(?<kind>Malformed JSON|JSON transform error) in file \"(?<file>.*)\", (?:at byte (?<byte>[0-9]+) )?in line (?<line>[0-9]+): (?<why>.*)$")]
    private static partial Regex LineError();
}

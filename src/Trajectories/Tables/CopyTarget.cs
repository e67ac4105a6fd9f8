namespace Rlhf.Trajectories;

/// <summary>The COPY … TO part of a statement, for each format.</summary>
internal static class CopyTarget
{
    // Bounds what a writer and a reader hold at once, whatever the length of a row.
    private const string RowGroups = "ROW_GROUP_SIZE 122880, ROW_GROUP_SIZE_BYTES '32MB'";

    /// <summary>The SELECT list. CSV has no nested values: maps and structs go in as JSON text.</summary>
    public static string Select(IEnumerable<(string Name, string SqlType)> columns, FileFormat format) =>
        Select(columns.Select(c => (c.Name, c.SqlType, Table: "")), format);

    /// <inheritdoc cref="Select(IEnumerable{ValueTuple{string, string}}, FileFormat)"/>
    public static string Select(IEnumerable<(string Name, string SqlType, string Table)> columns, FileFormat format)
    {
        bool csv = format == FileFormat.Csv;
        return "SELECT " + string.Join(", ", columns.Select(c =>
        {
            string name = Sql.Name(c.Name);
            bool asJson = csv && (c.SqlType.StartsWith("MAP(", StringComparison.Ordinal) || c.SqlType.StartsWith("STRUCT(", StringComparison.Ordinal));
            return asJson ? $"CAST(to_json({c.Table}{name}) AS VARCHAR) AS {name}" : c.Table + name;
        }));
    }

    /// <summary>The statement.</summary>
    /// <param name="select">The rows.</param>
    /// <param name="file">Where they are written.</param>
    /// <param name="finalPath">Whose extension says whether it is packed and how fields are separated.</param>
    /// <param name="format">The format.</param>
    public static string Statement(string select, string file, string finalPath, FileFormat format)
    {
        string gzip = FileFormats.IsGzip(finalPath) ? ", COMPRESSION gzip" : "";
        string options = format switch
        {
            // Snappy: every reader of Parquet has it.
            FileFormat.Parquet => $"FORMAT parquet, COMPRESSION snappy, {RowGroups}",
            FileFormat.Csv => $"FORMAT csv, HEADER true, DELIMITER {Sql.Text(FileFormats.Delimiter(finalPath).ToString())}{gzip}",
            FileFormat.Json => $"FORMAT json, ARRAY true{gzip}",
            _ => $"FORMAT json{gzip}",
        };
        return $"COPY ({select}) TO {Sql.Text(file)} ({options}, USE_TMP_FILE false)";
    }
}

namespace Rlhf.Trajectories;

/// <summary>The COPY … TO part of a statement, for each format.</summary>
internal static class CopyTarget
{
    // Bounds what a writer and a reader hold at once, whatever the length of a row.
    private const string RowGroups = "ROW_GROUP_SIZE 122880, ROW_GROUP_SIZE_BYTES '32MB'";

    /// <summary>The SELECT list. CSV has no nested values: maps and structs go in as JSON text.</summary>
    public static string Select(IEnumerable<(string Name, string SqlType)> columns, string finalPath) =>
        Select(columns.Select(c => (c.Name, c.SqlType, Table: "")), finalPath);

    /// <inheritdoc cref="Select(IEnumerable{ValueTuple{string, string}}, string)"/>
    public static string Select(IEnumerable<(string Name, string SqlType, string Table)> columns, string finalPath)
    {
        bool csv = FileFormats.Of(finalPath) == FileFormat.Csv;
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
    /// <param name="finalPath">Whose extension names the format.</param>
    public static string Statement(string select, string file, string finalPath)
    {
        string gzip = FileFormats.IsGzip(finalPath) ? ", COMPRESSION gzip" : "";
        string options = FileFormats.Of(finalPath) switch
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

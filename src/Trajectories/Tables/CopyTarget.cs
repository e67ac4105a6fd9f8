namespace Rlhf.Trajectories;

/// <summary>The COPY … TO part of a statement, for each format.</summary>
internal static class CopyTarget
{
    // Bounds what a writer and a reader hold at once, whatever the length of a row.
    private const string RowGroups = "ROW_GROUP_SIZE 122880, ROW_GROUP_SIZE_BYTES '32MB'";

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

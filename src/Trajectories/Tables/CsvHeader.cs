using System.IO.Compression;
using System.Text;

namespace Rlhf.Trajectories;

/// <summary>The names in the first line of a CSV file; only asked for when DuckDB cannot say what is wrong with the file.</summary>
internal static class CsvHeader
{
    public static IReadOnlyList<string> Names(string path, char delimiter)
    {
        using FileStream file = File.OpenRead(path);
        using Stream bytes = FileFormats.IsGzip(path) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(bytes, Encoding.UTF8);
        var names = new List<string>();
        var name = new StringBuilder();
        bool quoted = false;
        for (int c = reader.Read(); c >= 0 && (quoted || c != '\n'); c = reader.Read())
        {
            if (c == '"' && quoted && reader.Peek() == '"') name.Append((char)reader.Read());
            else if (c == '"') quoted = !quoted;
            else if (c == delimiter && !quoted) Take(names, name);
            else if (c != '\r' || quoted) name.Append((char)c);
        }

        Take(names, name);
        return names;
    }

    private static void Take(List<string> names, StringBuilder name)
    {
        names.Add(name.ToString());
        name.Clear();
    }
}

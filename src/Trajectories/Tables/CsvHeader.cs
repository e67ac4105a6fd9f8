using System.IO.Compression;
using System.Text;

namespace Rlhf.Trajectories;

/// <summary>The names in the first line of a CSV file; only asked for when DuckDB cannot say what is wrong with the file. What is no header has no end either.</summary>
internal static class CsvHeader
{
    /// <summary>Most characters of the line, and most names in it.</summary>
    private const int Longest = 1 << 20, Most = 10_000;

    /// <exception cref="InvalidDataException">No header line: too long, too many names, or not what the gzip format says.</exception>
    public static IReadOnlyList<string> Names(string path, char delimiter)
    {
        using FileStream file = File.OpenRead(path);
        using Stream bytes = FileFormats.IsGzip(path) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(bytes, Encoding.UTF8);
        var names = new List<string>();
        var name = new StringBuilder();
        bool quoted = false;
        int length = 0;
        for (int c = reader.Read(); c >= 0 && (quoted || c != '\n'); c = reader.Read())
        {
            if (++length > Longest || names.Count == Most) throw new InvalidDataException($"the first line has more than {Longest} characters or {Most} columns; expected a header");
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

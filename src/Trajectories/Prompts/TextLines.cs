using System.IO.Compression;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>
/// Lines of a text file, ended by \n or \r\n and by nothing else: U+0085 and U+2028 are part of a line. A line has an upper bound, as in the other
/// formats: some kilobytes of a packed file can unpack to gigabytes without a line end.
/// </summary>
internal static class TextLines
{
    /// <summary>Most characters of a line.</summary>
    internal const int Longest = 1 << 24;

    /// <summary>The lines in order.</summary>
    /// <exception cref="BadDataException">The file is missing, damaged, or has a line that no prompt is.</exception>
    public static IEnumerable<string> Read(string path)
    {
        long lines = 0;
        using FileStream file = Open(path);
        using Stream bytes = FileFormats.IsGzip(path) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(bytes, new UTF8Encoding(false, throwOnInvalidBytes: false));
        var line = new StringBuilder();
        char[] buffer = new char[16384];
        while (Fill(reader, buffer, path) is int count and > 0)
        {
            int start = 0;
            for (int i = 0; i < count; i++)
            {
                if (buffer[i] != '\n') continue;
                line.Append(buffer, start, i - start);
                yield return Take(line);
                lines++;
                start = i + 1;
            }

            line.Append(buffer, start, count - start);
            if (line.Length > Longest) throw new BadDataException($"{path}, line {lines + 1}: the line is longer than {Longest} characters; expected one prompt a line. Check that the file is text, or cut the line.");
        }

        if (line.Length > 0) yield return Take(line);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static int Fill(StreamReader reader, char[] buffer, string path)
    {
        try
        {
            return reader.Read(buffer);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new BadDataException($"{path} cannot be read: {e.Message} The file is damaged or cut short.", e);
        }
    }

    private static string Take(StringBuilder line)
    {
        if (line.Length > 0 && line[^1] == '\r') line.Length--;
        string text = line.ToString();
        line.Clear();
        return text;
    }
}

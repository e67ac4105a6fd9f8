using System.Globalization;
using System.IO.Enumeration;

namespace Rlhf.Scoring;

/// <summary>Name, size and time of files: whether they are still those that a stopped run read.</summary>
internal static class FileStamp
{
    public static string OfFolder(string folder) =>
        Path.GetFullPath(folder) + ": " + string.Join(", ", Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(OfFile));

    /// <summary>Of a file, or of all files that a pattern in the last part of the path matches; null where the pattern is in a folder's name.</summary>
    public static string? OfInput(string input)
    {
        if (File.Exists(input)) return OfFile(Path.GetFullPath(input));
        string folder = Path.GetDirectoryName(Path.GetFullPath(input)) ?? "/", pattern = Path.GetFileName(input);
        if (!Directory.Exists(folder) || pattern.Contains('[', StringComparison.Ordinal)) return null;
        return string.Join(", ", Directory.EnumerateFiles(folder).Where(f => FileSystemName.MatchesSimpleExpression(pattern, Path.GetFileName(f), ignoreCase: false))
            .Order(StringComparer.Ordinal).Select(OfFile));
    }

    private static string OfFile(string file)
    {
        var info = new FileInfo(file);
        return string.Create(CultureInfo.InvariantCulture, $"{file} {info.Length} {info.LastWriteTimeUtc.Ticks}");
    }
}

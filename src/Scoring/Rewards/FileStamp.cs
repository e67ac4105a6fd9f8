using System.Globalization;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>
/// Whether files are still those that a stopped run read: by name, and by the contents of small ones (an edit within the clock's step may leave size and
/// time as they were), by size and time of large ones (models and tables, too long to be read for it).
/// </summary>
internal static class FileStamp
{
    private const long Small = 1 << 20;

    public static string OfFolder(string folder) =>
        Path.GetFullPath(folder) + ": " + string.Join(", ", Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(OfFile));

    /// <summary>Of the files that a path or pattern stands for, as they are read.</summary>
    /// <exception cref="BadDataException">A file is missing or empty, or a pattern matches none.</exception>
    public static string OfInput(string input) => string.Join(", ", DataFiles.Of([input]).Select(f => OfFile(Path.GetFullPath(f))));

    /// <summary>Of a file that a rule reads.</summary>
    public static string OfContents(string file) => $"{Path.GetFullPath(file)} {Sha256.OfFile(file)}";

    /// <summary>Of an assembly and those beside it, which it may need.</summary>
    public static string OfAssembly(string file)
    {
        string full = Path.GetFullPath(file);
        return !File.Exists(full) ? full : $"{OfContents(full)}: "
            + string.Join(", ", Directory.EnumerateFiles(Path.GetDirectoryName(full)!, "*.dll").Order(StringComparer.Ordinal).Where(f => f != full).Select(OfFile));
    }

    private static string OfFile(string file)
    {
        var info = new FileInfo(file);
        return info.Length <= Small ? $"{file} {Sha256.OfFile(file)}" : string.Create(CultureInfo.InvariantCulture, $"{file} {info.Length} {info.LastWriteTimeUtc.Ticks}");
    }
}

using System.Security.Cryptography;
using System.Text;

namespace Rlhf.Core;

/// <summary>SHA-256 as 64 lower-case hexadecimal digits.</summary>
public static class Sha256
{
    /// <summary>Of bytes in memory.</summary>
    public static string OfBytes(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>Of the UTF-8 bytes of a text.</summary>
    public static string OfText(string text) => OfBytes(Encoding.UTF8.GetBytes(text));

    /// <summary>Of the rest of a stream.</summary>
    public static string OfStream(Stream stream) => Convert.ToHexStringLower(SHA256.HashData(stream));

    /// <summary>Of a file's bytes.</summary>
    /// <exception cref="BadDataException">The file cannot be read.</exception>
    public static string OfFile(string path) => FileErrors.Reading(path, () =>
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        return OfStream(stream);
    });

    /// <summary>
    /// Of a folder: over one line <c>sha256 size relative/path</c> per file, in ordinal order of the paths; unfinished (<c>.partial</c>)
    /// files left out. Moving or copying the folder does not change it; a file added, removed, renamed or changed does.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="include">Chooses files by relative path (with '/'); null takes all.</param>
    /// <exception cref="BadDataException">The folder or a file in it cannot be read.</exception>
    public static string OfFolder(string path, Func<string, bool>? include = null)
    {
        StringBuilder lines = new();
        foreach (string relative in FolderListing.Of(path))
        {
            if (include is not null && !include(relative)) continue;
            string file = Path.Combine(path, relative);
            lines.Append(OfFile(file)).Append(' ').Append(new FileInfo(file).Length).Append(' ').Append(relative).Append('\n');
        }

        return OfText(lines.ToString());
    }
}

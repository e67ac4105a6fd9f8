namespace Rlhf.Core;

/// <summary>Names of files that come out of files: they must stay inside their folder.</summary>
public static class SafePath
{
    /// <summary>
    /// The path of a file inside a folder (or below it), or null where the name leaves it: an absolute path, a step up, a drive, a link
    /// that points outside.
    /// </summary>
    public static string? Inside(string folder, string name)
    {
        if (name.Length == 0 || Path.IsPathRooted(name) || name.AsSpan().IndexOfAny("\\:\0") >= 0 || name.Split('/').Any(part => part is "" or "." or "..")) return null;
        string root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), path = Path.Combine(root, name);
        // Every part may be a link: of the folder itself they are the user's own, of what lies inside they are the model's.
        string realRoot = Real(root), at = realRoot;
        foreach (string part in name.Split('/'))
        {
            at = Real(Path.Combine(at, part));
            if (!at.StartsWith(realRoot + Path.DirectorySeparatorChar, StringComparison.Ordinal)) return null;
        }

        return path;
    }

    private static string Real(string path)
    {
        try
        {
            FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
            return Path.TrimEndingDirectorySeparator(info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path);
        }
        catch (IOException)
        {
            return "\0"; // a circle of links lies nowhere
        }
    }
}

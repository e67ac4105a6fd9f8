namespace Rlhf.Core;

/// <summary>The finished files of a folder in an order that does not depend on the machine.</summary>
public static class FolderListing
{
    /// <summary>Relative paths with '/', ordinal order, without anything that ends in <c>.partial</c>.</summary>
    /// <exception cref="BadDataException">The folder cannot be read.</exception>
    public static IReadOnlyList<string> Of(string path) => FileErrors.Reading(path, () =>
    {
        List<string> files = [];
        foreach (string file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(path, file).Replace(Path.DirectorySeparatorChar, '/');
            if (!relative.Split('/').Any(part => part.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal))) files.Add(relative);
        }

        files.Sort(StringComparer.Ordinal);
        return files;
    });
}

using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>SHA-256 of what a training reads: whether a stopped one would go on with the same data and model.</summary>
internal static class TrainingInputs
{
    /// <summary>Path → hash. A model folder counts by its own files, not by what is stored in folders below it.</summary>
    /// <param name="paths">Files, patterns and folders; empty ones are left out.</param>
    /// <exception cref="BadDataException">A file is missing or cannot be read.</exception>
    public static SortedDictionary<string, string> Hashes(IEnumerable<string> paths)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in paths.Where(p => p.Length > 0).Distinct(StringComparer.Ordinal))
        {
            if (Directory.Exists(path))
            {
                hashes[path] = Sha256.OfFolder(path, relative => !relative.Contains('/', StringComparison.Ordinal));
                continue;
            }

            foreach (string file in DataFiles.Of([path])) hashes[file] = Sha256.OfFile(file);
        }

        return hashes;
    }
}

namespace Rlhf.Core;

/// <summary>One file of a sealed folder.</summary>
public sealed record SealedFile(string Path, long Bytes, string Sha256);

/// <summary>
/// The list of a finished folder's files with sizes and SHA-256 (<c>files.json</c>), written last: a folder with a seal is whole, and can
/// be verified later. A folder inside it that has a seal of its own is not in the list: it may be removed by itself.
/// </summary>
public sealed record FolderSeal(IReadOnlyList<SealedFile> Files)
{
    /// <summary>The seal's own name; it is not in its list.</summary>
    public const string FileName = "files.json";

    /// <summary>True when the folder was finished.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Hashes every finished file of the folder and writes the seal.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="known">Relative path → SHA-256 of files that were hashed while they were written; they are not read again.</param>
    /// <exception cref="BadDataException">The folder cannot be read or written.</exception>
    public static FolderSeal Write(string folder, IReadOnlyDictionary<string, string>? known = null)
    {
        FolderSeal seal = new([.. Own(folder).Select(f => Describe(folder, f, known))]);
        RunJson.Write(Path.Combine(folder, FileName), seal);
        return seal;
    }

    /// <summary>Compares the folder with its seal: every missing, changed or additional file as one readable line; empty when whole.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="part">Relative path → whether the file matters; null: all do. The others are not read.</param>
    /// <exception cref="BadDataException">There is no seal, or it is damaged.</exception>
    public static IReadOnlyList<string> Verify(string folder, Func<string, bool>? part = null)
    {
        FolderSeal seal = RunJson.Read<FolderSeal>(Path.Combine(folder, FileName));
        HashSet<string> there = [.. Own(folder).Where(f => part?.Invoke(f) ?? true)];
        List<string> problems = [];
        foreach (SealedFile expected in seal.Files.Where(f => part?.Invoke(f.Path) ?? true))
        {
            string path = Path.Combine(folder, expected.Path);
            if (Path.IsPathRooted(expected.Path) || expected.Path.Split('/').Contains(".."))
            {
                problems.Add($"{path}: the seal names a file outside its folder; the seal was tampered with.");
                continue;
            }

            if (!there.Remove(expected.Path))
            {
                problems.Add($"{path}: missing; the seal lists it with {expected.Bytes} bytes.");
                continue;
            }

            long bytes = FileErrors.Reading(path, () => new FileInfo(path).Length);
            if (bytes != expected.Bytes) problems.Add($"{path}: {bytes} bytes; the seal says {expected.Bytes}.");
            else if (Rlhf.Core.Sha256.OfFile(path) != expected.Sha256) problems.Add($"{path}: the bytes changed after the folder was finished (SHA-256 differs).");
        }

        problems.AddRange(there.Order(StringComparer.Ordinal).Select(f => $"{Path.Combine(folder, f)}: not in the seal; it was added after the folder was finished."));
        return problems;
    }

    /// <summary>As <see cref="Verify"/>, where a missing or damaged seal is one more finding instead of an error.</summary>
    public static IReadOnlyList<string> Problems(string folder, Func<string, bool>? part = null)
    {
        if (!Directory.Exists(folder)) return [$"{folder}: the folder is missing."];
        if (!Exists(folder)) return [$"{folder}: it has no {FileName}, which is written last."];
        try
        {
            return Verify(folder, part);
        }
        catch (BadDataException error)
        {
            return [error.Message];
        }
    }

    /// <summary>The folder's files that belong to its own seal.</summary>
    private static IEnumerable<string> Own(string folder)
    {
        IReadOnlyList<string> all = FolderListing.Of(folder);
        string[] inner = [.. all.Where(f => f.EndsWith("/" + FileName, StringComparison.Ordinal)).Select(f => f[..^FileName.Length])];
        return all.Where(f => f != FileName && !inner.Any(sealedFolder => f.StartsWith(sealedFolder, StringComparison.Ordinal)));
    }

    private static SealedFile Describe(string folder, string relative, IReadOnlyDictionary<string, string>? known)
    {
        string path = Path.Combine(folder, relative);
        return new SealedFile(relative, new FileInfo(path).Length, known?.GetValueOrDefault(relative) ?? Rlhf.Core.Sha256.OfFile(path));
    }
}

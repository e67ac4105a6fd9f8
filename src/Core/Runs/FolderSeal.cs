namespace Rlhf.Core;

/// <summary>One file of a sealed folder.</summary>
public sealed record SealedFile(string Path, long Bytes, string Sha256);

/// <summary>
/// The list of a finished folder's files with sizes and SHA-256 (<c>files.json</c>), written last: a folder with a seal is whole, and can
/// be verified later.
/// </summary>
public sealed record FolderSeal(IReadOnlyList<SealedFile> Files)
{
    /// <summary>The seal's own name; it is not in its list.</summary>
    public const string FileName = "files.json";

    /// <summary>True when the folder was finished.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Hashes every finished file of the folder and writes the seal.</summary>
    /// <exception cref="BadDataException">The folder cannot be read or written.</exception>
    public static FolderSeal Write(string folder)
    {
        FolderSeal seal = new([.. FolderListing.Of(folder).Where(f => f != FileName).Select(f => Describe(folder, f))]);
        RunJson.Write(Path.Combine(folder, FileName), seal);
        return seal;
    }

    /// <summary>Compares the folder with its seal: every missing, changed or additional file as one readable line; empty when whole.</summary>
    /// <exception cref="BadDataException">There is no seal, or it is damaged.</exception>
    public static IReadOnlyList<string> Verify(string folder)
    {
        FolderSeal seal = RunJson.Read<FolderSeal>(Path.Combine(folder, FileName));
        HashSet<string> there = [.. FolderListing.Of(folder).Where(f => f != FileName)];
        List<string> problems = [];
        foreach (SealedFile expected in seal.Files)
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

            long bytes = new FileInfo(path).Length;
            if (bytes != expected.Bytes) problems.Add($"{path}: {bytes} bytes; the seal says {expected.Bytes}.");
            else if (Rlhf.Core.Sha256.OfFile(path) != expected.Sha256) problems.Add($"{path}: the bytes changed after the folder was finished (SHA-256 differs).");
        }

        problems.AddRange(there.Order(StringComparer.Ordinal).Select(f => $"{Path.Combine(folder, f)}: not in the seal; it was added after the folder was finished."));
        return problems;
    }

    private static SealedFile Describe(string folder, string relative)
    {
        string path = Path.Combine(folder, relative);
        return new SealedFile(relative, new FileInfo(path).Length, Rlhf.Core.Sha256.OfFile(path));
    }
}

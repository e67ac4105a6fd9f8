namespace Rlhf.Pipeline.Tests;

internal static class Folders
{
    public static string[] FilesOf(string folder) => [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f)).Order(StringComparer.Ordinal)];

    /// <summary>The same names and the same bytes.</summary>
    public static void AreEqual(string a, string b)
    {
        Assert.That(FilesOf(a), Is.EqualTo(FilesOf(b)), $"files of {a} and {b}");
        string[] different = [.. FilesOf(a).Where(f => !File.ReadAllBytes(Path.Combine(a, f)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(b, f))))];
        Assert.That(different, Is.Empty, $"files of {a} and {b} with different bytes");
    }

    /// <summary>Copies a folder with what is in it.</summary>
    public static string Copy(string from, string to)
    {
        foreach (string file in FilesOf(from))
        {
            string target = Path.Combine(to, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(Path.Combine(from, file), target);
        }

        return to;
    }
}

using NUnit.Framework;

namespace Rlhf.Models.Tests;

/// <summary>Files beside the repository that a check-out may lack.</summary>
internal static class Shared
{
    /// <summary>The trained 260 K model, or the test is skipped.</summary>
    public static string Stories260K => Find("models/stories260K");

    public static string Find(string relative)
    {
        DirectoryInfo? folder = new(TestContext.CurrentContext.TestDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Rlhf.Onnx.sln"))) folder = folder.Parent;
        string path = Path.Combine(folder?.Parent?.FullName ?? "", "shared", relative);
        if (folder is null || !Path.Exists(path)) Assert.Ignore($"skipped: ../shared/{relative} is not there");
        return path;
    }
}

/// <summary>A folder that is removed when the test ends.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("rlhf-models-").FullName;

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

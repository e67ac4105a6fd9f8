using NUnit.Framework;

namespace Rlhf.Torch.Tests;

/// <summary>Files that lie beside the repository in a folder named shared; tests that need them are skipped without it.</summary>
internal static class Shared
{
    internal static string File(string relative)
    {
        DirectoryInfo? folder = new(TestContext.CurrentContext.TestDirectory);
        while (folder is not null && !System.IO.File.Exists(Path.Combine(folder.FullName, "Rlhf.Onnx.sln"))) folder = folder.Parent;
        string path = Path.Combine(folder?.Parent?.FullName ?? ".", "shared", relative);
        if (!System.IO.File.Exists(path)) Assert.Ignore($"skipped: {relative} is not in a folder 'shared' beside the repository");
        return path;
    }
}

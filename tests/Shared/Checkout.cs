using NUnit.Framework;

namespace Rlhf.Tests;

/// <summary>Where the repository's files are, and those beside it that a check-out may lack.</summary>
internal static class Checkout
{
    /// <summary>The folder that has the solution.</summary>
    public static string Root { get; } = Find();

    /// <summary>A file or folder of ../shared; the test is skipped where it is absent.</summary>
    public static string Shared(string relative)
    {
        string path = Path.GetFullPath(Path.Combine(Root, "..", "shared", relative));
        if (!Path.Exists(path)) Assert.Ignore($"skipped: ../shared/{relative} is not there (see data/README.md)");
        return path;
    }

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Rlhf.Onnx.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException("Rlhf.Onnx.sln is not above the test folder");
    }
}

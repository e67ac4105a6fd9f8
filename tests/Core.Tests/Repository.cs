namespace Rlhf.Core.Tests;

internal static class Repository
{
    /// <summary>The folder that has the solution.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Rlhf.Onnx.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException("Rlhf.Onnx.sln is not above the test folder");
    }
}

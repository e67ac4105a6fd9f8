using System.Runtime.InteropServices;

namespace Rlhf.Core;

/// <summary>
/// Which attention kernel ONNX Runtime 1.29 takes on a CPU. Its tiled one (the default) is made for prompts of thousands of tokens: at 512 the plain one is
/// a tenth of a whole small model faster; for a row's single new
/// token it multiplies four numbers at a time where the plain one uses the widest vectors. The choice can be made by an environment variable
/// only, which is read when a session is opened.
/// </summary>
public static partial class AttentionKernels
{
    private const string Variable = "ORT_GQA_DISABLE_FLASH_ATTENTION";
    private static readonly Lock Gate = new();

    /// <summary>Opens a session whose attention is the plain kernel, unless the user has chosen by the variable.</summary>
    public static T Plain<T>(Func<T> open)
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(Variable) is not null) return open();
        lock (Gate)
        {
            _ = SetVariable(Variable, "1", overwrite: 1); // Environment.SetEnvironmentVariable is not seen by native code
            try
            {
                return open();
            }
            finally
            {
                _ = UnsetVariable(Variable);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetVariable(string name);
}

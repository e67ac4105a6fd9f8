using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>Thread pools read their settings from the environment when libtorch is loaded, so they are set just before, where the user has not.</summary>
internal static partial class ThreadEnvironment
{
    internal static void SetDefaults()
    {
        // OpenMP workers sleep between parallel regions instead of spinning: two processes on shared cores otherwise take each other's time slices.
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null) SetNativeVariable("OMP_WAIT_POLICY", "PASSIVE", 0);
    }

    // .NET's SetEnvironmentVariable changes a managed copy only; native libraries read the C environment.
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetNativeVariable(string name, string value, int overwrite);
}

using System.Reflection;
using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>Finds librlhf_torch.so: RLHF_TORCH_BRIDGE, the program's folder, then artifacts/native of the folders above it.</summary>
internal static class BridgeLoader
{
    private const string FileName = "librlhf_torch.so";
    private static int s_registered;

    internal static void Register()
    {
        if (Interlocked.Exchange(ref s_registered, 1) == 0) NativeLibrary.SetDllImportResolver(typeof(BridgeLoader).Assembly, Resolve);
    }

    internal static IEnumerable<string> Candidates(string? fromEnvironment, string baseDirectory)
    {
        if (!string.IsNullOrEmpty(fromEnvironment)) yield return fromEnvironment;
        yield return Path.Combine(baseDirectory, FileName);
        for (DirectoryInfo? folder = new(baseDirectory); folder is not null; folder = folder.Parent)
            yield return Path.Combine(folder.FullName, "artifacts", "native", FileName);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != Native.Library) return 0;
        string? found = Candidates(Environment.GetEnvironmentVariable("RLHF_TORCH_BRIDGE"), AppContext.BaseDirectory).FirstOrDefault(File.Exists);
        if (found is null)
            throw new TorchBridgeNotFoundException($"The torch bridge {FileName} was not found: not named by RLHF_TORCH_BRIDGE, not in {AppContext.BaseDirectory} "
                + "and not in artifacts/native of a folder above it. Run './rlhf setup', which builds it (or native/torch_bridge/build.sh).");
        ThreadEnvironment.SetDefaults();
        try
        {
            return NativeLibrary.Load(found);
        }
        catch (DllNotFoundException e)
        {
            throw new TorchBridgeNotFoundException($"The torch bridge {found} is there but cannot be loaded: {e.Message} "
                + "Most often libtorch itself is missing. Run './rlhf setup', which installs libtorch and builds the bridge.", e);
        }
    }
}

/// <summary>libtorch or the bridge to it is not installed; the message says where it was sought and how to get it.</summary>
internal sealed class TorchBridgeNotFoundException : DllNotFoundException
{
    internal TorchBridgeNotFoundException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}

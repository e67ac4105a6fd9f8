using System.Runtime.InteropServices;

namespace Rlhf.Core;

/// <summary>Flushing to the device and renaming: the steps that .NET does not offer for folders.</summary>
internal static partial class Durable
{
    private const int AtCurrentFolder = -100;
    private const uint RenameExchange = 2;

    /// <summary>Forces a file's bytes to the device.</summary>
    public static void FlushFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Forces a folder's entries (names, renames) to the device. Does nothing where folders cannot be opened.</summary>
    public static void FlushFolder(string path)
    {
        if (!OperatingSystem.IsLinux()) return;
        int descriptor = Open(path, 0, 0);
        if (descriptor < 0) return; // a folder without read right: the rename is still atomic, only later on disk
        _ = Sync(descriptor);
        _ = Close(descriptor);
    }

    /// <summary>Swaps two folders in one step. False where the file system cannot.</summary>
    public static bool TryExchange(string a, string b)
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            return Rename(AtCurrentFolder, a, AtCurrentFolder, b, RenameExchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // a C library older than 2.28
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}

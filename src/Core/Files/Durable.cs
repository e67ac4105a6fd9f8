using System.Runtime.InteropServices;

namespace Rlhf.Core;

/// <summary>Flushing to the device and renaming: the steps that .NET does not offer for folders.</summary>
public static partial class Durable
{
    private const int AtCurrentFolder = -100;
    private const uint RenameExchange = 2;

    // errno values of Linux.
    private const int PermissionDenied = 13, InvalidArgument = 22;

    /// <summary>Forces a file's bytes to the device.</summary>
    /// <exception cref="IOException">It cannot be opened or flushed.</exception>
    public static void FlushFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>
    /// Forces a folder's entries (names, renames) to the device. Does nothing on systems and file systems that have no such step, and in a folder that may be
    /// written but not read: a rename is atomic there too, only later on disk.
    /// </summary>
    /// <exception cref="IOException">The device did not take them.</exception>
    public static void FlushFolder(string path)
    {
        if (!OperatingSystem.IsLinux()) return;
        int descriptor = Open(path, 0, 0);
        if (descriptor < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == PermissionDenied) return;
            throw Failure(path, error);
        }

        int failed = Sync(descriptor) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        if (failed is not (0 or InvalidArgument)) throw Failure(path, failed);
    }

    /// <summary>Makes a folder and those above it that are missing. When this returns, their names are on the device: what is flushed into the folder can be found after a power loss.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static void CreateFolder(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Directory.Exists(full)) return;
        string? parent = Path.GetDirectoryName(full);
        if (parent is not null) CreateFolder(parent);
        Directory.CreateDirectory(full);
        if (parent is not null) FlushFolder(parent);
    }

    /// <summary>Swaps two folders in one step. False where the file system cannot.</summary>
    internal static bool TryExchange(string a, string b)
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

    // The error number stays in HResult, where FileErrors looks for a full or read-only disk.
    private static IOException Failure(string path, int error) => new($"{path}: its entries could not be flushed to the device: {Marshal.GetPInvokeErrorMessage(error)}", error);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}

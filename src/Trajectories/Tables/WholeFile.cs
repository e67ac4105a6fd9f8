using System.Runtime.InteropServices;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>An output under construction: written as name.partial, flushed to the disk, then renamed; so a file of that name is whole.</summary>
internal sealed partial class WholeFile
{
    public WholeFile(string path)
    {
        Path = path;
        PartialPath = path + ".partial";
        // Asked now, so that a run does not find out at its end.
        if (Directory.Exists(path)) throw new BadDataException($"{path} cannot be written: it is a folder. Name a file in it.");
        try
        {
            using FileStream _ = new(PartialPath, FileMode.Create, FileAccess.Write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadDataException($"{path} cannot be written: {e.Message} Create the folder or choose another place.", e);
        }
    }

    /// <summary>The name it will have.</summary>
    public string Path { get; }

    public string PartialPath { get; }

    /// <summary>Flushes and renames; an older file of that name is replaced in one step.</summary>
    public void Complete()
    {
        try
        {
            using (FileStream stream = new(PartialPath, FileMode.Open, FileAccess.ReadWrite)) stream.Flush(flushToDisk: true);
            File.Move(PartialPath, Path, overwrite: true);
            FlushFolder();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Discard();
            throw new BadDataException($"{Path} cannot be completed: {e.Message} Check the disk's space and rights.", e);
        }
    }

    public void Discard() => File.Delete(PartialPath);

    // The rename itself is safe only when the folder is on the disk too. Where that cannot be asked for, the file is still whole.
    private void FlushFolder()
    {
        if (!OperatingSystem.IsLinux()) return;
        int folder = OpenPath(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path)) ?? "/", 0);
        if (folder < 0) return;
        _ = Sync(folder);
        _ = ClosePath(folder);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int ClosePath(int descriptor);
}

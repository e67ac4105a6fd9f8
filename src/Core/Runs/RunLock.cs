using System.Globalization;

namespace Rlhf.Core;

/// <summary>Keeps a second process out of a folder. The operating system drops it when the process ends, however it ends.</summary>
public sealed class RunLock : IDisposable
{
    private readonly FileStream _stream;
    private readonly string _ownerPath;

    private readonly string? _temporary;

    /// <summary>The lock of a run directory, whose file stays.</summary>
    /// <exception cref="BadDataException">Another process has it, or the folder cannot be written.</exception>
    public RunLock(string folder)
        : this(folder, "run.lock", "The run directory", isTemporary: false)
    {
    }

    /// <summary>A lock whose file goes with it.</summary>
    /// <param name="folder">Made when missing.</param>
    /// <param name="name">Of the file.</param>
    /// <exception cref="BadDataException">Another process has it, or the folder cannot be written.</exception>
    public RunLock(string folder, string name)
        : this(folder, name, "The folder", isTemporary: true)
    {
    }

    private RunLock(string folder, string name, string what, bool isTemporary)
    {
        string path = Path.Combine(folder, name);
        _temporary = isTemporary ? path : null;
        _ownerPath = path + ".owner";
        try
        {
            Durable.CreateFolder(folder);
            _stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (File.Exists(path) && !FileErrors.IsDiskFull(error) && error is not DirectoryNotFoundException)
        {
            string owner = ReadOwner();
            throw new BadDataException(
                $"{what} '{folder}' is in use{owner}; two processes would overwrite each other's files. Wait for it, stop it, or choose another directory.", error);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            throw FileErrors.ForWriting(path, error);
        }

        FileErrors.Writing(_ownerPath, () => File.WriteAllText(_ownerPath, string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}")));
    }

    public void Dispose()
    {
        try
        {
            File.Delete(_ownerPath);
            // Before the lock is given up: who comes next makes a file of its own.
            if (_temporary is not null) File.Delete(_temporary);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // Only a note for people; the lock itself is the open file.
        }

        _stream.Dispose();
    }

    private string ReadOwner()
    {
        try
        {
            return $" by {File.ReadAllText(_ownerPath)}";
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            return " by another process";
        }
    }
}

namespace Rlhf.Core;

/// <summary>
/// A folder that is there whole or not at all (a model, a checkpoint): filled as <c>name.partial/</c>, flushed, then renamed. An older
/// folder of that name stays until the new one takes its place in one step, and is then removed.
/// </summary>
public sealed class WholeFolder : IDisposable
{
    /// <summary>Where the older folder waits on file systems that cannot swap two folders in one step.</summary>
    private const string ReplacedSuffix = ".replaced";

    private bool _finished;

    /// <exception cref="BadDataException">The folder cannot be made.</exception>
    public WholeFolder(string path)
    {
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        PartialPath = Path + WholeFile.PartialSuffix;
        FileErrors.Writing(path, () =>
        {
            if (File.Exists(Path)) throw new IOException("a file has this name");
            Recover(Path);
            if (Directory.Exists(PartialPath)) Directory.Delete(PartialPath, recursive: true);
            // The partial folder's own name need not last; that of the folder that it lies in must.
            Durable.CreateFolder(System.IO.Path.GetDirectoryName(Path)!);
            Directory.CreateDirectory(PartialPath);
        });
    }

    /// <summary>The final, absolute path.</summary>
    public string Path { get; }

    /// <summary>Write the files here.</summary>
    public string PartialPath { get; }

    /// <summary>The path of a file inside the folder while it is filled.</summary>
    public string FilePath(string name) => System.IO.Path.Combine(PartialPath, name);

    /// <summary>Flushes every file to the device and gives the folder its name.</summary>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        FileErrors.Writing(Path, () =>
        {
            foreach (string file in Directory.EnumerateFiles(PartialPath, "*", SearchOption.AllDirectories)) Durable.FlushFile(file);
            foreach (string folder in Directory.EnumerateDirectories(PartialPath, "*", SearchOption.AllDirectories)) Durable.FlushFolder(folder);
            Durable.FlushFolder(PartialPath);
            TakeTheName();
            Durable.FlushFolder(System.IO.Path.GetDirectoryName(Path)!);
        });
        _finished = true;
    }

    /// <summary>Removes the partial folder unless <see cref="Complete"/> succeeded.</summary>
    public void Dispose()
    {
        if (_finished) return;
        _finished = true;
        try
        {
            if (Directory.Exists(PartialPath)) Directory.Delete(PartialPath, recursive: true);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // The failure that led here is already on its way up; the next writer clears the left-over.
        }
    }

    /// <summary>Puts an older folder back whose replacement was cut short. Safe to call at any time.</summary>
    public static void Recover(string path)
    {
        string replaced = path + ReplacedSuffix;
        if (!Directory.Exists(replaced)) return;
        if (Directory.Exists(path)) Directory.Delete(replaced, recursive: true);
        else Directory.Move(replaced, path);
    }

    /// <summary>
    /// Removes a folder so that a process that dies meanwhile leaves no half of it under its name: renamed to <c>name.partial</c> first.
    /// Also removes what an earlier attempt left. Does nothing when neither is there.
    /// </summary>
    /// <exception cref="BadDataException">It cannot be removed.</exception>
    public static void Remove(string path) => FileErrors.Writing(path, () =>
    {
        string leaving = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)) + WholeFile.PartialSuffix;
        if (Directory.Exists(leaving)) Directory.Delete(leaving, recursive: true);
        if (!Directory.Exists(path)) return;
        Directory.Move(path, leaving);
        Directory.Delete(leaving, recursive: true);
    });

    private void TakeTheName()
    {
        if (!Directory.Exists(Path))
        {
            Directory.Move(PartialPath, Path);
        }
        else if (Durable.TryExchange(PartialPath, Path))
        {
            Directory.Delete(PartialPath, recursive: true); // holds the older folder now
        }
        else
        {
            Directory.Move(Path, Path + ReplacedSuffix);
            Directory.Move(PartialPath, Path);
            Directory.Delete(Path + ReplacedSuffix, recursive: true);
        }
    }
}

using System.Text;

namespace Rlhf.Core;

/// <summary>
/// A file that is there whole or not at all: written as <c>name.partial</c>, flushed to the device, then renamed. Disposing without
/// <see cref="Complete"/> removes the partial file and leaves an older file of that name untouched.
/// </summary>
/// <example><code>
/// using WholeFile file = new("runs/a/manifest.json");
/// JsonSerializer.Serialize(file.Stream, manifest);
/// file.Complete();
/// </code></example>
public sealed class WholeFile : IDisposable
{
    /// <summary>The ending of a file or folder that is not finished.</summary>
    public const string PartialSuffix = ".partial";

    private WholeStream? _stream;
    private bool _finished;

    /// <summary>Makes the parent folder and clears the way for <see cref="PartialPath"/>.</summary>
    /// <exception cref="BadDataException">The folder cannot be made or written to.</exception>
    public WholeFile(string path)
    {
        Path = System.IO.Path.GetFullPath(path);
        PartialPath = Path + PartialSuffix;
        FileErrors.Writing(path, () =>
        {
            if (Directory.Exists(Path)) throw new BadDataException($"Cannot write '{path}': a folder has this name. Choose another name.");
            Durable.CreateFolder(System.IO.Path.GetDirectoryName(Path)!);
            // Created at once: an unwritable folder is found before the work, not after it.
            using FileStream probe = new(PartialPath, FileMode.Create, FileAccess.Write, FileShare.None);
        });
    }

    /// <summary>The final, absolute path.</summary>
    public string Path { get; }

    /// <summary>Where the bytes go until <see cref="Complete"/>; for writers that want a path instead of <see cref="Stream"/>.</summary>
    public string PartialPath { get; }

    /// <summary>The partial file, opened on first use. Failing writes throw <see cref="BadDataException"/>.</summary>
    public Stream Stream => _stream ??= new WholeStream(Path, PartialPath);

    /// <summary>Flushes to the device and gives the file its name.</summary>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        FileErrors.Writing(Path, () =>
        {
            if (_stream is null) Durable.FlushFile(PartialPath);
            else _stream.Finish();
            File.Move(PartialPath, Path, overwrite: true);
            Durable.FlushFolder(System.IO.Path.GetDirectoryName(Path)!);
        });
        _finished = true;
    }

    /// <summary>Removes the partial file unless <see cref="Complete"/> succeeded.</summary>
    public void Dispose()
    {
        if (_finished) return;
        _finished = true;
        _stream?.Abandon();
        try
        {
            File.Delete(PartialPath);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // The failure that led here is already on its way up; a left-over partial is ignored and overwritten by the next writer.
        }
    }

    /// <summary>Writes a whole file through <paramref name="write"/>.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        using WholeFile file = new(path);
        write(file.Stream);
        file.Complete();
    }

    /// <summary>Writes a whole UTF-8 file without byte-order mark.</summary>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a whole file.</summary>
    public static void WriteAllBytes(string path, ReadOnlySpan<byte> bytes)
    {
        using WholeFile file = new(path);
        file.Stream.Write(bytes);
        file.Complete();
    }
}

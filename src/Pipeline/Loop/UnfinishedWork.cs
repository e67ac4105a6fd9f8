using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>One finished file of an unfinished iteration.</summary>
/// <param name="Key">What it was made from: the policy's hash, or that of the file before it.</param>
/// <param name="Bytes">Size.</param>
/// <param name="Sha256">Of its bytes.</param>
/// <param name="Seconds">Wall-clock that making it took.</param>
public sealed record FinishedFile(string Key, long Bytes, string Sha256, double Seconds);

/// <summary>
/// What an iteration (or evaluation) that is at work has finished: its files with sizes and hashes in <c>stages.json</c>, and the checkpoint within it. However the
/// process ends, the next one takes what is listed and whole, and makes the rest; the folder goes when the iteration is done.
/// </summary>
public sealed class UnfinishedWork
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    private readonly string _list;
    private readonly string _root;
    private readonly SortedDictionary<string, FinishedFile> _files;

    private UnfinishedWork(string folder, string root, SortedDictionary<string, FinishedFile> files) =>
        (Folder, _list, _root, _files) = (folder, Path.Combine(folder, "stages.json"), root, files);

    public string Folder { get; }

    /// <summary>The checkpoint within the iteration; absent unless it was interrupted while it trained.</summary>
    public string Checkpoint => Path.Combine(Folder, "checkpoint");

    /// <summary>The listed files, relative to the iteration's folder.</summary>
    public IReadOnlyCollection<string> Files => _files.Keys;

    /// <summary>Reads the list; a damaged one counts as empty, and is told.</summary>
    /// <param name="folder"><c>unfinished/0007</c>.</param>
    /// <param name="root">Where the files themselves are: <c>iterations/0007</c>.</param>
    public static UnfinishedWork Open(string folder, string root)
    {
        string list = Path.Combine(folder, "stages.json");
        try
        {
            if (File.Exists(list) && JsonSerializer.Deserialize<SortedDictionary<string, FinishedFile>>(File.ReadAllText(list)) is { } files && !files.ContainsValue(null!))
                return new(folder, root, new(files, StringComparer.Ordinal));
        }
        catch (Exception error) when (error is JsonException || FileErrors.IsFileError(error))
        {
            Log.Warning($"{list} is damaged ({error.Message.TrimEnd('.')}); what it lists is made again.");
        }

        return new(folder, root, new(StringComparer.Ordinal));
    }

    /// <summary>The entry of a file that is listed, was made from the same, and has the bytes that it had; otherwise null, and it is no longer listed.</summary>
    public FinishedFile? Find(string path, string key)
    {
        string name = Name(path);
        if (!_files.TryGetValue(name, out FinishedFile? file)) return null;
        bool isThere = File.Exists(path);
        if (file.Key == key && isThere && new FileInfo(path).Length == file.Bytes && Sha256.OfFile(path) == file.Sha256) return file;
        Log.Warning($"{path}: {(file.Key != key ? "made from other inputs" : isThere ? "its bytes changed after it was finished" : "missing")}; it is made again.");
        _files.Remove(name);
        return null;
    }

    /// <summary>Lists a finished file.</summary>
    public FinishedFile Add(string path, string key, double seconds)
    {
        var file = new FinishedFile(key, new FileInfo(path).Length, Sha256.OfFile(path), seconds);
        _files[Name(path)] = file;
        WholeFile.WriteAllText(_list, JsonSerializer.Serialize(_files, Json) + "\n");
        return file;
    }

    /// <summary>The files are made again: what was made from them no longer counts.</summary>
    public void Forget(string path) => _files.Remove(Name(path));

    /// <summary>All is done.</summary>
    public void Remove() => WholeFolder.Remove(Folder);

    private string Name(string path) => Path.GetRelativePath(_root, path).Replace(Path.DirectorySeparatorChar, '/');
}

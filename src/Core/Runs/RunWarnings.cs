using System.Text.Json;

namespace Rlhf.Core;

/// <summary>
/// The warnings of a run, those of earlier processes included: <c>warnings.jsonl</c> in its directory, one JSON object a line, each text once. A warning that is told
/// again because an iteration was made again is the same warning. Listens to <see cref="Log"/> until it is disposed of.
/// </summary>
public sealed class RunWarnings : IDisposable
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly List<string> _texts;

    /// <param name="run">Open for writing.</param>
    /// <exception cref="BadDataException">The file is there and cannot be read.</exception>
    public RunWarnings(RunDirectory run)
    {
        _path = run.WarningsPath;
        _texts = [.. Read(_path)];
        Log.WarningTold += Add;
    }

    /// <summary>In the order in which they were told first.</summary>
    public IReadOnlyList<string> Texts
    {
        get
        {
            lock (_gate) return [.. _texts];
        }
    }

    /// <summary>Adds one that was not told just now; nothing happens where it is known.</summary>
    /// <exception cref="BadDataException">The disk is full or gone.</exception>
    public void Add(string text)
    {
        lock (_gate)
        {
            if (_texts.Contains(text)) return;
            _texts.Add(text);
            FileErrors.Writing(_path, () =>
            {
                bool isNew = !File.Exists(_path);
                // A line that a dying process left half-written is ended by the break before this one.
                using (FileStream file = new(_path, FileMode.Append, FileAccess.Write, FileShare.Read))
                {
                    if (file.Position > 0) file.WriteByte((byte)'\n');
                    file.Write(JsonSerializer.SerializeToUtf8Bytes(new Line(text), RunJson.Lines));
                    file.Flush(flushToDisk: true);
                }

                if (isNew) Durable.FlushFolder(Path.GetDirectoryName(_path)!);
            });
        }
    }

    /// <summary>The texts of a file; none when there is none. What is no whole line is left out: a warning is no reason to stop.</summary>
    /// <exception cref="BadDataException">It is there and cannot be read.</exception>
    public static IReadOnlyList<string> Read(string path)
    {
        List<string> texts = [];
        if (!File.Exists(path)) return texts;
        foreach (string line in FileErrors.Reading(path, () => File.ReadAllLines(path)))
        {
            try
            {
                if (JsonSerializer.Deserialize<Line>(line, RunJson.Lines) is { Warning: { } text } && !texts.Contains(text)) texts.Add(text);
            }
            catch (JsonException)
            {
                // Half a line of a process that died.
            }
        }

        return texts;
    }

    public void Dispose() => Log.WarningTold -= Add;

    private sealed record Line(string Warning);
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>What was computed for one row, before weights.</summary>
/// <param name="Rewards">[sources] rewards.</param>
/// <param name="Reference">[responseTokens] log-probs, or null when none were asked for.</param>
internal readonly record struct RowResult(RewardValue[] Rewards, float[]? Reference);

/// <summary>
/// Finished windows of a run, beside the output as <c>OUT.scores.partial</c>, so that a stopped run goes on where it stopped. Each window
/// has a checksum: what a crash left half-written at the end is dropped, never read. So has its head, so that no broken length is ever believed.
/// </summary>
internal sealed class ScoringWork : IDisposable
{
    /// <summary>Goes up whenever the layout of the file changes.</summary>
    private const int FormatVersion = 2;

    private const int HeadBytes = 12, ChecksumBytes = 16;
    private static readonly byte[] Magic = Encoding.UTF8.GetBytes($"rlhf scores {FormatVersion}\n");
    private readonly string _path;
    private readonly FileStream _stream;
    private readonly int _sources;
    private long _firstWindow;
    private bool _done;

    private ScoringWork(string path, FileStream stream, int sources) => (_path, _stream, _sources) = (path, stream, sources);

    /// <summary>Rows of all finished windows.</summary>
    public long Rows { get; private set; }

    /// <summary>True when a row has rewards per token.</summary>
    public bool HasTokenRewards { get; private set; }

    /// <summary>Opens the work of the same run, or starts anew.</summary>
    /// <param name="output">The run's output.</param>
    /// <param name="fingerprint">All that the results depend on.</param>
    /// <param name="sources">Rewards a row.</param>
    /// <exception cref="BadDataException">The place cannot be written.</exception>
    public static ScoringWork Open(string output, string fingerprint, int sources)
    {
        string path = Path.GetFullPath(output) + ".scores.partial";
        byte[] header = [.. Magic, .. SHA256.HashData(Encoding.UTF8.GetBytes(fingerprint))];
        FileStream stream = FileErrors.Writing(output, () =>
        {
            if (Directory.Exists(output)) throw new UnauthorizedAccessException();
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 16);
        });
        var work = new ScoringWork(path, stream, sources) { _firstWindow = header.Length };
        FileErrors.Writing(output, () =>
        {
            byte[] found = new byte[header.Length];
            if (stream.ReadAtLeast(found, found.Length, throwOnEndOfStream: false) < found.Length || !found.AsSpan().SequenceEqual(header))
            {
                if (stream.Length > header.Length) Log.Info($"{path} is of a run with another input, other rewards, options or another version of this program: its rows are not taken over.");
                stream.SetLength(0);
                stream.Write(header);
                stream.Flush();
                return;
            }

            while (work.ReadWindow() is { } window) work.Rows += window.Length;
        });
        return work;
    }

    /// <summary>Adds a finished window; it survives the end of the process from here on.</summary>
    public void Append(IReadOnlyList<RowResult> window)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        foreach (RowResult row in window)
        {
            foreach (RewardValue reward in row.Rewards)
            {
                writer.Write(reward.Total ?? double.NaN); // rewards are finite, so NaN is free to mean none
                HasTokenRewards |= reward.PerToken is not null;
                Write(writer, reward.PerToken);
            }

            Write(writer, row.Reference);
        }

        writer.Flush();
        byte[] payload = bytes.GetBuffer();
        int length = (int)bytes.Length;
        byte[] head = new byte[HeadBytes];
        BinaryPrimitives.WriteInt32LittleEndian(head, window.Count);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(4), length);
        Checksum(head.AsSpan(0, 8), [])[..4].CopyTo(head, 8);
        byte[] checksum = Checksum(head, payload.AsSpan(0, length));
        FileErrors.Writing(_path, () =>
        {
            _stream.Write(head);
            _stream.Write(payload, 0, length);
            _stream.Write(checksum);
            _stream.Flush();
        });
        Rows += window.Count;
    }

    /// <summary>All rows in order.</summary>
    public IEnumerable<RowResult> Read()
    {
        _stream.Position = _firstWindow;
        while (ReadWindow() is { } window)
        {
            foreach (RowResult row in window) yield return row;
        }
    }

    /// <summary>The output is whole: the work file may go.</summary>
    public void Complete() => _done = true;

    /// <summary>Keeps finished windows of a run that failed or was stopped; removes the file otherwise.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        if (_done || Rows == 0) File.Delete(_path);
    }

    // The next whole window; at the end (or a torn window) null, with the file cut there so that Append goes on from it.
    private RowResult[]? ReadWindow()
    {
        long start = _stream.Position;
        byte[] head = new byte[HeadBytes];
        if (_stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length && Checksum(head.AsSpan(0, 8), []).AsSpan(0, 4).SequenceEqual(head.AsSpan(8)))
        {
            int rows = BinaryPrimitives.ReadInt32LittleEndian(head), length = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(4));
            if (rows > 0 && length >= 0 && (long)length + ChecksumBytes <= _stream.Length - _stream.Position)
            {
                byte[] payload = new byte[length], checksum = new byte[ChecksumBytes];
                _stream.ReadExactly(payload);
                _stream.ReadExactly(checksum);
                if (Checksum(head, payload).AsSpan().SequenceEqual(checksum)) return Decode(payload, rows);
            }
        }

        if (_stream.Length != start) _stream.SetLength(start);
        _stream.Position = start;
        return null;
    }

    private RowResult[] Decode(byte[] payload, int rows)
    {
        using var reader = new BinaryReader(new MemoryStream(payload));
        var window = new RowResult[rows];
        for (int i = 0; i < rows; i++)
        {
            var rewards = new RewardValue[_sources];
            for (int s = 0; s < _sources; s++)
            {
                double total = reader.ReadDouble();
                rewards[s] = new RewardValue(double.IsNaN(total) ? null : total, Floats(reader));
                HasTokenRewards |= rewards[s].PerToken is not null;
            }

            window[i] = new RowResult(rewards, Floats(reader));
        }

        return window;
    }

    private static void Write(BinaryWriter writer, float[]? values)
    {
        writer.Write(values?.Length ?? -1);
        foreach (float value in values ?? []) writer.Write(value);
    }

    private static float[]? Floats(BinaryReader reader)
    {
        int count = reader.ReadInt32();
        if (count < 0) return null;
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = reader.ReadSingle();
        return values;
    }

    private static byte[] Checksum(ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        hash.AppendData(payload);
        return hash.GetHashAndReset()[..ChecksumBytes];
    }
}

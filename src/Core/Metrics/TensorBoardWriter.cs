using System.Buffers.Binary;
using System.Globalization;

namespace Rlhf.Core;

/// <summary>
/// Scalars for TensorBoard: an event file of length-prefixed, checksummed records, each an <c>Event</c> message
/// (1 wall_time, 2 step, 3 file_version, 5 summary { 1 value { 1 tag, 2 simple_value } }).
/// </summary>
public sealed class TensorBoardWriter : IDisposable
{
    private const int WallTime = 1, Step = 2, FileVersion = 3, Summary = 5, Value = 1, Tag = 1, SimpleValue = 2;

    private readonly string _path;
    private readonly MetricCatalogue _catalogue;
    private readonly TimeProvider _clock;
    private readonly FileStream _stream;

    /// <param name="folder">Made when missing; a resumed run adds a second event file, which TensorBoard reads in turn.</param>
    /// <param name="catalogue">The default one when null.</param>
    /// <param name="clock">The system's when null.</param>
    /// <exception cref="BadDataException">The folder cannot be written.</exception>
    public TensorBoardWriter(string folder, MetricCatalogue? catalogue = null, TimeProvider? clock = null)
    {
        _catalogue = catalogue ?? MetricCatalogue.Default;
        _clock = clock ?? TimeProvider.System;
        long seconds = _clock.GetUtcNow().ToUnixTimeSeconds();
        _path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{seconds}.rlhf.{Environment.ProcessId}"));
        _stream = FileErrors.Writing(_path, () =>
        {
            Directory.CreateDirectory(folder);
            return new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read);
        });
        Record(NewEvent().Text(FileVersion, "brain.Event:2"));
        Flush();
    }

    /// <summary>Appends the metrics of one iteration, in catalogue order; they are on disk when it returns.</summary>
    /// <exception cref="ArgumentException">A metric that is not in the catalogue.</exception>
    public void Write(int iteration, IReadOnlyDictionary<string, double> values)
    {
        ProtobufScalars summary = new();
        foreach ((string name, double value) in values.OrderBy(p => _catalogue.OrderOf(p.Key)).ThenBy(p => p.Key, StringComparer.Ordinal))
            summary.Message(Value, new ProtobufScalars().Text(Tag, name).Float(SimpleValue, (float)value));
        Record(NewEvent().Int64(Step, iteration).Message(Summary, summary));
        Flush();
    }

    public void Dispose() => _stream.Dispose();

    private ProtobufScalars NewEvent() => new ProtobufScalars().Double(WallTime, (_clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);

    private void Record(ProtobufScalars message)
    {
        byte[] data = message.ToArray();
        byte[] header = new byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), Crc32C.Masked(header.AsSpan(0, 8)));
        byte[] footer = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(footer, Crc32C.Masked(data));
        FileErrors.Writing(_path, () =>
        {
            _stream.Write(header);
            _stream.Write(data);
            _stream.Write(footer);
        });
    }

    private void Flush() => FileErrors.Writing(_path, () => _stream.Flush(flushToDisk: false));
}

using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// Writes a Parquet, JSONL, JSON or CSV file (by its extension) row by row, in order, in flat memory. The same rows give the same bytes. The file is
/// name.partial until <see cref="Complete"/>; a writer that is disposed of before leaves nothing. For one thread at a time.
/// </summary>
/// <example><code>
/// using var writer = DataWriter.Create("scores.parquet", [new("id", ColumnType.Text), new("score", ColumnType.Double)]);
/// writer.Set(0, "a");
/// writer.Set(1, 0.5);
/// writer.EndRow();
/// writer.Complete();
/// </code></example>
public sealed class DataWriter : IDisposable
{
    // Long rows fill a chunk before 2048 of them do. Depends on the rows alone, so the bytes of the file do too.
    private const int ChunkBytes = 4 << 20;

    private readonly WholeFile _file;
    private readonly DuckDbSession _session;
    private readonly RowSource _source;
    private readonly ChunkQueue _queue = new();
    private readonly Thread _thread;
    private RowChunk _chunk;
    private Exception? _failure;
    private bool _ended;

    private DataWriter(string path, FileFormat format, IReadOnlyList<DataColumn> columns)
    {
        Columns = columns;
        _file = new WholeFile(path);
        // Row groups are bounded by bytes only without order preservation; one thread from source to file keeps the order all the same.
        _session = new DuckDbSession(new SessionOptions { PreserveInsertionOrder = false });
        _source = new RowSource(_session, columns, _queue);
        _chunk = new RowChunk(columns);
        string statement = CopyTarget.Statement(CopyTarget.Select(columns.Select(c => (c.Name, Sql.Type(c.Type))), format) + $" FROM {RowSource.Function}()", _file.PartialPath, path, format);
        _thread = new Thread(() => Run(statement)) { IsBackground = true, Name = "write " + System.IO.Path.GetFileName(path) };
        _thread.Start();
    }

    public IReadOnlyList<DataColumn> Columns { get; }

    /// <summary>Where the file will be.</summary>
    public string Path => _file.Path;

    /// <summary>Rows closed so far.</summary>
    public long RowCount { get; private set; }

    /// <summary>Starts a file.</summary>
    /// <exception cref="BadDataException">The place cannot be written, or the extension names no format.</exception>
    public static DataWriter Create(string path, IReadOnlyList<DataColumn> columns) => Create(path, FileFormats.Of(path), columns);

    internal static DataWriter Create(string path, FileFormat format, IReadOnlyList<DataColumn> columns)
    {
        if (columns.Count == 0) throw new ArgumentException("A table needs a column.", nameof(columns));
        if (columns.FirstOrDefault(c => c.Type == ColumnType.Messages) is { } messages)
            throw new ArgumentException($"Column '{messages.Name}': conversations are written as Json.", nameof(columns));
        return new DataWriter(path, format, columns);
    }

    public void Set(int column, bool value) => For(column, ColumnType.Bool).Set(_chunk.Rows, (byte)(value ? 1 : 0));

    public void Set(int column, int value) => For(column, ColumnType.Int32).Set(_chunk.Rows, value);

    public void Set(int column, long value) => For(column, ColumnType.Int64).Set(_chunk.Rows, value);

    public void Set(int column, float value) => For(column, ColumnType.Float).Set(_chunk.Rows, value);

    public void Set(int column, double value) => For(column, ColumnType.Double).Set(_chunk.Rows, value);

    /// <summary>Text or JSON; null leaves the row without a value.</summary>
    public void Set(int column, string? text)
    {
        if (text is not null) For(column, ColumnType.Text, ColumnType.Json).SetText(_chunk.Rows, text);
    }

    public void Set(int column, ReadOnlySpan<int> values) => For(column, ColumnType.Int32List).SetList(_chunk.Rows, values);

    public void Set(int column, ReadOnlySpan<long> values) => For(column, ColumnType.Int64List).SetList(_chunk.Rows, values);

    public void Set(int column, ReadOnlySpan<float> values) => For(column, ColumnType.FloatList).SetList(_chunk.Rows, values);

    public void Set(int column, ReadOnlySpan<double> values) => For(column, ColumnType.DoubleList).SetList(_chunk.Rows, values);

    public void Set(int column, IReadOnlyList<string> texts) => For(column, ColumnType.TextList).SetTexts(_chunk.Rows, texts);

    public void Set(int column, IEnumerable<KeyValuePair<string, double>> map) => For(column, ColumnType.DoubleMap).SetMap(_chunk.Rows, map);

    /// <summary>Closes the row; columns that were not set have no value in it. Waits when the disk is behind.</summary>
    /// <exception cref="BadDataException">The file cannot be written any further; nothing of it stays.</exception>
    public void EndRow()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        foreach (ColumnBuffer column in _chunk.Columns) column.EndRow(_chunk.Rows);
        _chunk.Rows++;
        RowCount++;
        if (_chunk.Rows == DuckDb.VectorSize || _chunk.Bytes >= ChunkBytes) Flush();
    }

    /// <summary>Takes back what was set since the last <see cref="EndRow"/>.</summary>
    public void UndoRow()
    {
        foreach (ColumnBuffer column in _chunk.Columns) column.UndoRow(_chunk.Rows);
    }

    /// <summary>Writes what is left, flushes to the disk and gives the file its name.</summary>
    /// <exception cref="BadDataException">The file cannot be written; nothing of it stays.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (_chunk.Rows > 0) Flush();
        _queue.End();
        _thread.Join();
        if (_failure is not null) throw Failed();
        _ended = true;
        Release();
        using (_file) _file.Complete();
    }

    /// <summary>Without <see cref="Complete"/>: gives up and removes the partial file.</summary>
    public void Dispose()
    {
        if (_ended) return;
        _ended = true;
        _queue.Abort();
        _thread.Join();
        Release();
        _file.Dispose();
    }

    private ColumnBuffer For(int column, ColumnType type, ColumnType other = (ColumnType)(-1))
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        ColumnBuffer buffer = _chunk.Columns[column];
        if (buffer.Type != type && buffer.Type != other)
            throw new InvalidOperationException($"Column '{Columns[column].Name}' is {buffer.Type}; a value of type {type} was set.");
        return buffer;
    }

    private void Flush()
    {
        if (!_queue.Put(_chunk)) throw Failed();
        _chunk = _queue.TakeEmpty() ?? new RowChunk(Columns);
        _chunk.Clear();
    }

    private void Run(string statement)
    {
        try
        {
            _session.Execute(statement);
        }
        catch (Exception e)
        {
            // Reported by the next call of the program's thread.
            _failure = e;
        }
        finally
        {
            _queue.ConsumerGone();
        }
    }

    private BadDataException Failed()
    {
        _thread.Join();
        string reason = _failure is DuckDbException e ? e.Reason : _failure?.Message ?? "the writer ended early";
        Dispose();
        return new BadDataException($"{Path} cannot be written: {reason}. Check the disk's space and rights; nothing was left under that name.", _failure);
    }

    private void Release()
    {
        _session.Dispose();
        _source.Dispose();
    }
}

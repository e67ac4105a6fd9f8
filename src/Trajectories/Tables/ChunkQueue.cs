using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>Rows on their way to DuckDB.</summary>
internal sealed class RowChunk(IReadOnlyList<DataColumn> columns)
{
    public ColumnBuffer[] Columns { get; } = [.. columns.Select(c => new ColumnBuffer(c.Type))];

    public int Rows { get; set; }

    public int Bytes => Columns.Sum(c => c.Bytes);

    public void Clear()
    {
        Rows = 0;
        foreach (ColumnBuffer column in Columns) column.Clear();
    }

    public void CopyTo(nint chunk)
    {
        for (int i = 0; i < Columns.Length; i++) Columns[i].CopyTo(DuckDb.OutputVector(chunk, (ulong)i), Rows);
        DuckDb.SetChunkSize(chunk, (ulong)Rows);
    }
}

/// <summary>
/// Hands chunks from the program's thread to DuckDB's and back again for reuse. At most two are on the way, so a slow disk slows the producer
/// down instead of filling the memory.
/// </summary>
internal sealed class ChunkQueue
{
    private const int Capacity = 2;
    private readonly object _lock = new();
    private readonly Queue<RowChunk> _full = new();
    private readonly Queue<RowChunk> _empty = new();
    private bool _ended, _aborted, _consumerGone;

    /// <summary>False when the consumer has ended before its time: its error is to be asked for.</summary>
    public bool Put(RowChunk chunk)
    {
        lock (_lock)
        {
            while (_full.Count >= Capacity && !_consumerGone) Monitor.Wait(_lock);
            if (_consumerGone) return false;
            _full.Enqueue(chunk);
            Monitor.PulseAll(_lock);
            return true;
        }
    }

    /// <summary>A used chunk, or null: then make a new one.</summary>
    public RowChunk? TakeEmpty()
    {
        lock (_lock) return _empty.TryDequeue(out RowChunk? chunk) ? chunk : null;
    }

    /// <summary>The next chunk, or null after <see cref="End"/>. The consumer gives it back with <see cref="Return"/>.</summary>
    /// <exception cref="OperationCanceledException">After <see cref="Abort"/>.</exception>
    public RowChunk? Take()
    {
        lock (_lock)
        {
            while (_full.Count == 0 && !_ended && !_aborted) Monitor.Wait(_lock);
            if (_aborted) throw new OperationCanceledException("The writer was given up.");
            RowChunk? chunk = _full.TryDequeue(out RowChunk? next) ? next : null;
            Monitor.PulseAll(_lock);
            return chunk;
        }
    }

    public void Return(RowChunk chunk)
    {
        lock (_lock) _empty.Enqueue(chunk);
    }

    public void End() => Signal(ref _ended);

    public void Abort() => Signal(ref _aborted);

    public void ConsumerGone() => Signal(ref _consumerGone);

    private void Signal(ref bool flag)
    {
        lock (_lock)
        {
            flag = true;
            Monitor.PulseAll(_lock);
        }
    }
}

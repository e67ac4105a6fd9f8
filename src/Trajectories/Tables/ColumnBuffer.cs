using System.Runtime.InteropServices;
using System.Text;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// The values of one column for the rows of one chunk, in the layout that is handed to DuckDB: fixed-width values, or offsets and elements, or
/// offsets and UTF-8. Reused chunk after chunk.
/// </summary>
internal sealed unsafe class ColumnBuffer(ColumnType type)
{
    private readonly bool[] _valid = new bool[DuckDb.VectorSize];
    private readonly int _width = WidthOf(type);
    private readonly bool _isList = type is ColumnType.Int32List or ColumnType.Int64List or ColumnType.FloatList or ColumnType.DoubleList or ColumnType.TextList or ColumnType.DoubleMap;

    // End of each row's elements (lists), or of each text in _bytes.
    private readonly int[] _rowEnds = new int[DuckDb.VectorSize];
    private byte[] _values = new byte[DuckDb.VectorSize * 8];
    private int _valueBytes;
    private byte[] _texts = [];
    private int _textBytes;
    private int[] _textEnds = [];
    private int _textCount;
    private bool _hasNulls;

    public ColumnType Type { get; } = type;

    /// <summary>Bytes held: what bounds a chunk.</summary>
    public int Bytes => _valueBytes + _textBytes;

    public void Clear()
    {
        Array.Clear(_valid);
        _valueBytes = _textBytes = _textCount = 0;
        _hasNulls = false;
    }

    public void Set<T>(int row, T value)
        where T : unmanaged
    {
        _valid[row] = true;
        MemoryMarshal.Cast<byte, T>(_values.AsSpan())[row] = value;
    }

    public void SetText(int row, ReadOnlySpan<char> text)
    {
        Open(row);
        AddText(text);
    }

    public void SetList<T>(int row, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        Open(row);
        AddElements(values);
    }

    public void SetTexts(int row, IEnumerable<string> texts)
    {
        Open(row);
        foreach (string text in texts) AddText(text);
    }

    public void SetMap(int row, IEnumerable<KeyValuePair<string, double>> entries)
    {
        Open(row);
        foreach ((string name, double value) in entries)
        {
            AddText(name);
            AddElements(new ReadOnlySpan<double>(in value));
        }
    }

    /// <summary>Closes the row: what has not been set is null.</summary>
    public void EndRow(int row)
    {
        _hasNulls |= !_valid[row];
        switch (Type)
        {
            case ColumnType.Text or ColumnType.Json:
                if (!_valid[row]) AddText(default);
                break;
            case ColumnType.TextList or ColumnType.DoubleMap:
                _rowEnds[row] = _textCount;
                break;
            default:
                if (_isList) _rowEnds[row] = _valueBytes / _width;
                else if (!_valid[row]) Set(row, 0L, _width);
                break;
        }
    }

    /// <summary>Takes back what was set in a row that was not closed.</summary>
    public void UndoRow(int row)
    {
        _valid[row] = false;
        if (_isList)
        {
            int end = row == 0 ? 0 : _rowEnds[row - 1];
            if (_width > 0) _valueBytes = end * _width;
            if (Type is ColumnType.TextList or ColumnType.DoubleMap) _textCount = end;
        }
        else if (Type is ColumnType.Text or ColumnType.Json)
        {
            _textCount = row;
        }

        _textBytes = _textCount == 0 ? 0 : _textEnds[_textCount - 1];
    }

    /// <summary>Copies rows 0..<paramref name="rows"/> into DuckDB's vector.</summary>
    public void CopyTo(nint vector, int rows)
    {
        if (_hasNulls) CopyNulls(vector, rows);
        if (!_isList)
        {
            if (Type is ColumnType.Text or ColumnType.Json) CopyTexts(vector, rows);
            else _values.AsSpan(0, rows * _width).CopyTo(new Span<byte>((void*)DuckDb.VectorData(vector), rows * _width));
            return;
        }

        int elements = rows == 0 ? 0 : _rowEnds[rows - 1];
        var entries = (DuckDb.ListEntry*)DuckDb.VectorData(vector);
        int start = 0;
        for (int row = 0; row < rows; row++)
        {
            entries[row] = new DuckDb.ListEntry { Offset = (ulong)start, Length = (ulong)(_rowEnds[row] - start) };
            start = _rowEnds[row];
        }

        if (DuckDb.ListReserve(vector, (ulong)elements) != 0 || DuckDb.ListSetSize(vector, (ulong)elements) != 0)
            throw new InvalidOperationException("DuckDB's list vector does not take its elements.");
        nint child = DuckDb.ListChild(vector);
        switch (Type)
        {
            case ColumnType.TextList:
                CopyTexts(child, elements);
                break;
            case ColumnType.DoubleMap:
                CopyTexts(DuckDb.StructChild(child, 0), elements);
                CopyElements(DuckDb.StructChild(child, 1), elements);
                break;
            default:
                CopyElements(child, elements);
                break;
        }
    }

    private static int WidthOf(ColumnType type) => type switch
    {
        ColumnType.Bool => 1,
        ColumnType.Int32 or ColumnType.Float or ColumnType.Int32List or ColumnType.FloatList => 4,
        ColumnType.Int64 or ColumnType.Double or ColumnType.Int64List or ColumnType.DoubleList or ColumnType.DoubleMap => 8,
        _ => 0,
    };

    private void Set(int row, long value, int width)
    {
        // A null slot is zeroed, so that the same rows always give the same bytes.
        Span<byte> bytes = stackalloc byte[8];
        MemoryMarshal.Write(bytes, in value);
        bytes[..width].CopyTo(_values.AsSpan(row * width));
    }

    private void Open(int row)
    {
        if (_valid[row]) throw new InvalidOperationException("A list or text was set twice in one row; EndRow closes a row.");
        _valid[row] = true;
    }

    private void AddElements<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        Grow(ref _values, _valueBytes + bytes.Length);
        bytes.CopyTo(_values.AsSpan(_valueBytes));
        _valueBytes += bytes.Length;
    }

    private void AddText(ReadOnlySpan<char> text)
    {
        Grow(ref _texts, _textBytes + Encoding.UTF8.GetMaxByteCount(text.Length));
        _textBytes += Encoding.UTF8.GetBytes(text, _texts.AsSpan(_textBytes));
        if (_textCount == _textEnds.Length) Array.Resize(ref _textEnds, Math.Max(DuckDb.VectorSize, 2 * _textCount));
        _textEnds[_textCount++] = _textBytes;
    }

    private void CopyTexts(nint vector, int count)
    {
        var slots = (byte*)DuckDb.VectorData(vector);
        int start = 0;
        fixed (byte* texts = _texts)
        {
            for (int i = 0; i < count; i++)
            {
                int length = _textEnds[i] - start;
                if (length <= 12)
                {
                    // duckdb_string_t holds up to 12 bytes in place, zero-filled.
                    var slot = new Span<byte>(slots + (16L * i), 16);
                    slot.Clear();
                    MemoryMarshal.Write(slot, in length);
                    _texts.AsSpan(start, length).CopyTo(slot[4..]);
                }
                else
                {
                    DuckDb.AssignText(vector, (ulong)i, texts + start, (ulong)length);
                }

                start = _textEnds[i];
            }
        }
    }

    private void CopyElements(nint vector, int count) =>
        _values.AsSpan(0, count * _width).CopyTo(new Span<byte>((void*)DuckDb.VectorData(vector), count * _width));

    private void CopyNulls(nint vector, int rows)
    {
        DuckDb.EnsureValidityWritable(vector);
        var mask = (ulong*)DuckDb.VectorValidity(vector);
        for (int row = 0; row < rows; row++)
        {
            if (!_valid[row]) mask[row >> 6] &= ~(1UL << (row & 63));
        }
    }

    private static void Grow(ref byte[] buffer, int needed)
    {
        if (needed > buffer.Length) Array.Resize(ref buffer, Math.Max(needed, 2 * buffer.Length));
    }
}

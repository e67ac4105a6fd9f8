using System.Text.Json;
using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// Up to 2048 consecutive rows. Columns are positions in <see cref="DataReader.Columns"/>, rows count from 0 within the batch. The
/// methods read DuckDB's vectors by pointer. A reference-typed value is null where the row has none; for numbers ask <see cref="IsNull"/>.
/// </summary>
public sealed unsafe class RowBatch : IDisposable
{
    private readonly ChunkHandle _chunk;
    private readonly IReadOnlyList<DataColumn> _columns;
    private readonly Vector[] _vectors;
    private readonly string _source;

    internal RowBatch(ChunkHandle chunk, IReadOnlyList<DataColumn> columns, string source, long firstRow)
    {
        _chunk = chunk;
        _columns = columns;
        _source = source;
        FirstRow = firstRow;
        CountBeforeDispose = Count = (int)DuckDb.ChunkSize(chunk);
        _vectors = new Vector[columns.Count];
        for (int i = 0; i < _vectors.Length; i++) _vectors[i] = new Vector(DuckDb.ChunkVector(chunk, (ulong)i), columns[i].Type);
    }

    /// <summary>Rows in the batch; 0 once the next batch has been asked for.</summary>
    public int Count { get; private set; }

    /// <summary>Number of the batch's first row, from 0, over all files.</summary>
    public long FirstRow { get; }

    internal int CountBeforeDispose { get; }

    /// <summary>True when the row has no value.</summary>
    public bool IsNull(int column, int row) => !DuckDb.IsValid(Checked(column, row).Validity, row);

    public bool GetBool(int column, int row) => Value<byte>(column, row, ColumnType.Bool) != 0;

    public int GetInt32(int column, int row) => Value<int>(column, row, ColumnType.Int32);

    public long GetInt64(int column, int row) => Value<long>(column, row, ColumnType.Int64);

    public float GetFloat(int column, int row) => Value<float>(column, row, ColumnType.Float);

    public double GetDouble(int column, int row) => Value<double>(column, row, ColumnType.Double);

    /// <summary>The value, or null.</summary>
    public double? GetNullableDouble(int column, int row) => IsNull(column, row) ? null : GetDouble(column, row);

    /// <summary>The text of a Text, Json or Messages column, or null.</summary>
    public string? GetString(int column, int row)
    {
        Vector vector = Checked(column, row);
        Expect(column, vector.Type is ColumnType.Text or ColumnType.Json or ColumnType.Messages, ColumnType.Text);
        return vector.Text.Get(row);
    }

    /// <summary>The text as UTF-8, valid as long as the batch; empty for null.</summary>
    public ReadOnlySpan<byte> GetUtf8(int column, int row)
    {
        Vector vector = Checked(column, row);
        Expect(column, vector.Type is ColumnType.Text or ColumnType.Json or ColumnType.Messages, ColumnType.Text);
        return vector.Text.IsNull(row) ? default : vector.Text.Utf8(row);
    }

    public int[]? GetInt32List(int column, int row) => IsNull(column, row) ? null : Int32Span(column, row).ToArray();

    public long[]? GetInt64List(int column, int row) => IsNull(column, row) ? null : Elements<long>(column, row, ColumnType.Int64List).ToArray();

    public float[]? GetFloatList(int column, int row) => IsNull(column, row) ? null : FloatSpan(column, row).ToArray();

    /// <summary>A list, nested or as JSON text in a Text or Json column.</summary>
    public double[]? GetDoubleList(int column, int row) => IsNull(column, row) ? null
        : _vectors[column].Type is ColumnType.Text or ColumnType.Json ? FromJson(column, row, "numbers", e => e.GetDouble())
        : Elements<double>(column, row, ColumnType.DoubleList).ToArray();

    /// <summary>The elements in place, valid as long as the batch; empty for null.</summary>
    public ReadOnlySpan<int> Int32Span(int column, int row) => Elements<int>(column, row, ColumnType.Int32List);

    /// <summary>The elements in place, valid as long as the batch; empty for null.</summary>
    public ReadOnlySpan<float> FloatSpan(int column, int row) => Elements<float>(column, row, ColumnType.FloatList);

    /// <summary>A list, nested or as JSON text in a Text or Json column.</summary>
    public string[]? GetTextList(int column, int row)
    {
        Vector vector = Checked(column, row);
        if (vector.Type is ColumnType.Text or ColumnType.Json) return IsNull(column, row) ? null : FromJson(column, row, "texts", e => e.GetString() ?? throw new FormatException("an element is null"));
        Expect(column, vector.Type == ColumnType.TextList, ColumnType.TextList);
        if (!DuckDb.IsValid(vector.Validity, row)) return null;
        DuckDb.ListEntry entry = ((DuckDb.ListEntry*)vector.Data)[row];
        string[] texts = new string[entry.Length];
        for (int i = 0; i < texts.Length; i++) texts[i] = vector.Text.Get((long)entry.Offset + i) ?? throw NullElement(column, row, i);
        return texts;
    }

    /// <summary>Names and numbers in the file's order; an entry whose number is null is left out.</summary>
    public IReadOnlyDictionary<string, double>? GetDoubleMap(int column, int row)
    {
        Vector vector = Checked(column, row);
        Expect(column, vector.Type == ColumnType.DoubleMap, ColumnType.DoubleMap);
        if (!DuckDb.IsValid(vector.Validity, row)) return null;
        DuckDb.ListEntry entry = ((DuckDb.ListEntry*)vector.Data)[row];
        var map = new Dictionary<string, double>((int)entry.Length, StringComparer.Ordinal);
        for (long i = (long)entry.Offset; i < (long)(entry.Offset + entry.Length); i++)
        {
            if (DuckDb.IsValid(vector.ChildValidity, i)) map[vector.Text.Get(i) ?? ""] = ((double*)vector.Child)[i];
        }

        return map;
    }

    /// <summary>A conversation from a list of {role, content} (or "from"/"value", as ShareGPT has them), or null.</summary>
    /// <exception cref="BadDataException">The value is no such list.</exception>
    public IReadOnlyList<ChatMessage>? GetMessages(int column, int row)
    {
        return IsNull(column, row) ? null : FromJson(column, row, "{role, content}", m => new ChatMessage(Field(m, "role", "from"), Field(m, "content", "value")));
    }

    private T[] FromJson<T>(int column, int row, string what, Func<JsonElement, T> element)
    {
        try
        {
            return JsonText.List(GetUtf8(column, row), element);
        }
        catch (FormatException e)
        {
            throw Bad(column, row, $"is no list of {what}: {e.Message}");
        }
    }

    /// <summary>A message that names the file, the row (counted from 1) and the column.</summary>
    public BadDataException Bad(int column, int row, string problem) =>
        new($"{Where(row)}: column '{_columns[column].Name}' {problem}");

    /// <summary>File and row, counted from 1, for a message.</summary>
    public string Where(int row) => $"{_source}, row {FirstRow + row + 1}";

    public void Dispose()
    {
        Count = 0;
        _chunk.Dispose();
    }

    private static string Field(JsonElement message, string name, string other) =>
        (message.TryGetProperty(name, out JsonElement value) || message.TryGetProperty(other, out value) ? value : throw new FormatException($"a message has no '{name}'")).GetString() ?? "";

    private T Value<T>(int column, int row, ColumnType type)
        where T : unmanaged
    {
        Vector vector = Checked(column, row);
        Expect(column, vector.Type == type, type);
        if (!DuckDb.IsValid(vector.Validity, row)) throw Bad(column, row, $"has no value (null); expected {type}.");
        return ((T*)vector.Data)[row];
    }

    private ReadOnlySpan<T> Elements<T>(int column, int row, ColumnType type)
        where T : unmanaged
    {
        Vector vector = Checked(column, row);
        Expect(column, vector.Type == type, type);
        if (!DuckDb.IsValid(vector.Validity, row)) return default;
        DuckDb.ListEntry entry = ((DuckDb.ListEntry*)vector.Data)[row];
        if (vector.ChildValidity != null)
        {
            for (long i = 0; i < (long)entry.Length; i++)
            {
                if (!DuckDb.IsValid(vector.ChildValidity, (long)entry.Offset + i)) throw NullElement(column, row, i);
            }
        }

        return new ReadOnlySpan<T>((T*)vector.Child + entry.Offset, checked((int)entry.Length));
    }

    private BadDataException NullElement(int column, int row, long element) => Bad(column, row, $"has no value (null) at element {element + 1} of its list.");

    private Vector Checked(int column, int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Count, nameof(row));
        return _vectors[column];
    }

    private void Expect(int column, bool ok, ColumnType asked)
    {
        if (!ok) throw new InvalidOperationException($"Column '{_columns[column].Name}' was opened as {_columns[column].Type}, not as {asked}.");
    }

    /// <summary>The addresses of one column's data.</summary>
    private readonly struct Vector
    {
        public Vector(nint vector, ColumnType type)
        {
            Type = type;
            Data = (byte*)DuckDb.VectorData(vector);
            Validity = (ulong*)DuckDb.VectorValidity(vector);
            switch (type)
            {
                case ColumnType.Text or ColumnType.Json or ColumnType.Messages:
                    Text = new TextVector(vector);
                    break;
                case ColumnType.TextList:
                    Text = new TextVector(DuckDb.ListChild(vector));
                    break;
                case ColumnType.DoubleMap:
                    nint entries = DuckDb.ListChild(vector);
                    Text = new TextVector(DuckDb.StructChild(entries, 0));
                    nint values = DuckDb.StructChild(entries, 1);
                    Child = (byte*)DuckDb.VectorData(values);
                    ChildValidity = (ulong*)DuckDb.VectorValidity(values);
                    break;
                case ColumnType.Int32List or ColumnType.Int64List or ColumnType.FloatList or ColumnType.DoubleList:
                    nint child = DuckDb.ListChild(vector);
                    Child = (byte*)DuckDb.VectorData(child);
                    ChildValidity = (ulong*)DuckDb.VectorValidity(child);
                    break;
            }
        }

        public readonly ColumnType Type;
        public readonly byte* Data;
        public readonly ulong* Validity;
        public readonly TextVector Text;
        public readonly byte* Child;
        public readonly ulong* ChildValidity;
    }
}

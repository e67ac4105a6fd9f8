using System.Text;

namespace Rlhf.Trajectories.Native;

/// <summary>Reads duckdb_string_t values by pointer: 4 bytes of length, then up to 12 bytes in place, or a prefix and an address.</summary>
internal readonly unsafe struct TextVector(nint vector)
{
    private const int InPlace = 12;
    private readonly byte* _data = (byte*)DuckDb.VectorData(vector);
    private readonly ulong* _validity = (ulong*)DuckDb.VectorValidity(vector);

    public bool IsNull(long row) => !DuckDb.IsValid(_validity, row);

    /// <summary>UTF-8 bytes; valid as long as the chunk is.</summary>
    public ReadOnlySpan<byte> Utf8(long row)
    {
        byte* value = _data + (row * 16);
        int length = *(int*)value;
        return new ReadOnlySpan<byte>(length <= InPlace ? value + 4 : *(byte**)(value + 8), length);
    }

    public string? Get(long row) => IsNull(row) ? null : Encoding.UTF8.GetString(Utf8(row));
}

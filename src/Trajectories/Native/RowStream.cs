namespace Rlhf.Trajectories.Native;

/// <summary>A running query: chunks of at most <see cref="DuckDb.VectorSize"/> rows, in order.</summary>
internal sealed class RowStream(StatementHandle statement, ResultHandle result) : IDisposable
{
    /// <summary>The next chunk, or null at the end. The caller disposes of it.</summary>
    /// <exception cref="DuckDbException">What DuckDB says: the file turned out to be damaged or of another type further on.</exception>
    public ChunkHandle? Next()
    {
        ChunkHandle chunk = DuckDb.FetchChunk(result.Value);
        if (!chunk.IsInvalid && DuckDb.ChunkSize(chunk) > 0) return chunk;
        bool ended = chunk.IsInvalid;
        chunk.Dispose();
        string error = DuckDb.Text(DuckDb.ResultError(result));
        if (error.Length > 0) throw new DuckDbException(error);
        return ended ? null : Next();
    }

    public void Dispose()
    {
        result.Dispose();
        statement.Dispose();
    }
}

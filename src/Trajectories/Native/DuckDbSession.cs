using Rlhf.Core;

namespace Rlhf.Trajectories.Native;

/// <summary>
/// One in-memory DuckDB with one connection. Each reader and writer has its own, so that one's settings, memory and errors
/// never reach another. One thread by default: results in file order, files with the same bytes, cores left to the engines.
/// </summary>
internal sealed class DuckDbSession : IDisposable
{
    private readonly DatabaseHandle _database;
    private readonly ConnectionHandle _connection;
    private readonly string _spillFolder;

    public DuckDbSession(SessionOptions? options = null)
    {
        options ??= new SessionOptions();
        _spillFolder = Path.Combine(Path.GetTempPath(), "rlhf-duckdb-" + Guid.NewGuid().ToString("N"));
        try
        {
            DuckDb.CreateConfig(out ConfigHandle config);
            using (config)
            {
                Set(config, "threads", options.Threads.ToString());
                Set(config, "memory_limit", options.MemoryLimit);
                Set(config, "temp_directory", _spillFolder);
                Set(config, "preserve_insertion_order", options.PreserveInsertionOrder ? "true" : "false");
                // Files only: nothing is fetched or installed because of what a path or a file says.
                Set(config, "autoinstall_known_extensions", "false");
                Set(config, "autoload_known_extensions", "false");
                if (DuckDb.Open(null, out _database, config, out nint error) != 0)
                {
                    string reason = DuckDb.Text(error);
                    DuckDb.Free(error);
                    throw new EngineException($"DuckDB did not start: {reason}");
                }
            }
        }
        catch (DllNotFoundException e)
        {
            throw new EngineException(
                "libduckdb.so was not found beside the program; Parquet, JSONL and CSV files cannot be read or written. "
                + "Run the set-up again (npm package @duckdb/node-bindings-linux-x64) and build.", e);
        }

        if (DuckDb.Connect(_database, out _connection) != 0) throw new EngineException("DuckDB gave no connection to its in-memory database.");
    }

    public ConnectionHandle Connection => _connection;

    /// <summary>DuckDB's version, for manifests.</summary>
    public static string LibraryVersion => DuckDb.Text(DuckDb.LibraryVersion());

    /// <summary>Runs a statement to its end.</summary>
    /// <exception cref="DuckDbException">What DuckDB says.</exception>
    public void Execute(string sql)
    {
        using var result = new ResultHandle();
        if (DuckDb.Query(_connection, sql, result) != 0) throw new DuckDbException(DuckDb.Text(DuckDb.ResultError(result)));
    }

    /// <summary>Ends the query that runs, from another thread: it fails. Of no effect between queries.</summary>
    public void Interrupt() => DuckDb.Interrupt(_connection);

    /// <summary>Starts a query whose rows are fetched chunk by chunk.</summary>
    /// <exception cref="DuckDbException">What DuckDB says.</exception>
    public RowStream Stream(string sql)
    {
        int state = DuckDb.Prepare(_connection, sql, out StatementHandle statement);
        try
        {
            if (state != 0) throw new DuckDbException(DuckDb.Text(DuckDb.PrepareError(statement)));
            var result = new ResultHandle();
            if (DuckDb.ExecuteStreaming(statement, result) == 0) return new RowStream(statement, result);
            string error = DuckDb.Text(DuckDb.ResultError(result));
            result.Dispose();
            throw new DuckDbException(error);
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }

    /// <summary>The rows of a small query as texts; null where the value is NULL. Every column must be VARCHAR.</summary>
    public IReadOnlyList<string?[]> Texts(string sql, int columns)
    {
        var rows = new List<string?[]>();
        using RowStream stream = Stream(sql);
        while (stream.Next() is { } chunk)
        {
            using (chunk)
            {
                int count = (int)DuckDb.ChunkSize(chunk);
                var vectors = new TextVector[columns];
                for (int c = 0; c < columns; c++) vectors[c] = new TextVector(DuckDb.ChunkVector(chunk, (ulong)c));
                for (int r = 0; r < count; r++) rows.Add([.. vectors.Select(v => v.Get(r))]);
            }
        }

        return rows;
    }

    public void Dispose()
    {
        _connection.Dispose();
        _database.Dispose();
        if (Directory.Exists(_spillFolder)) Directory.Delete(_spillFolder, recursive: true);
    }

    private static void Set(ConfigHandle config, string name, string value)
    {
        if (DuckDb.SetConfig(config, name, value) != 0) throw new EngineException($"DuckDB refuses the setting {name}={value}.");
    }
}

/// <summary>How a session is set up.</summary>
internal sealed record SessionOptions
{
    public int Threads { get; init; } = 1;
    public string MemoryLimit { get; init; } = "2GB";

    /// <summary>False lets row groups be bounded by bytes; with one thread the order stays.</summary>
    public bool PreserveInsertionOrder { get; init; } = true;
}

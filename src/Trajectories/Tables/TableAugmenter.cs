using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// Copies a table with every column it has, known or not, of any type, and adds columns row by row in the input's order. The new values are
/// streamed to a file beside the output and joined by position at the end; memory does not grow with the number of rows.
/// </summary>
public sealed class TableAugmenter : IDisposable
{
    private readonly IReadOnlyList<string> _inputs;
    private readonly string _output;
    private readonly string _columnsPath;
    private readonly WholeFile _file;
    private readonly (long First, long Count)? _range;
    private bool _completed;

    private TableAugmenter(IReadOnlyList<string> inputs, string output, IReadOnlyList<DataColumn> columns, (long First, long Count)? range = null)
    {
        _range = range;
        _inputs = inputs;
        _output = output;
        _columnsPath = output + ".columns.partial";
        _ = FileFormats.Of(output);
        DataSource.Resolve(inputs);
        _file = new WholeFile(output);
        try
        {
            Rows = DataWriter.Create(_columnsPath, FileFormat.Parquet, columns);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Takes the new values, one row for each row of the input.</summary>
    public DataWriter Rows { get; }

    /// <summary>Starts a copy of <paramref name="input"/> (file or pattern) with more columns. A new column replaces one of the same name.</summary>
    /// <exception cref="BadDataException">The input is missing or empty, or the output cannot be written.</exception>
    public static TableAugmenter Create(string input, string output, IReadOnlyList<DataColumn> columns) => new([input], output, columns);

    /// <summary>As <see cref="Create(string, string, IReadOnlyList{DataColumn})"/>, for several inputs read one after the other.</summary>
    /// <param name="inputs">Files or patterns.</param>
    /// <param name="output">File.</param>
    /// <param name="columns">New columns.</param>
    /// <param name="range">Only these rows of the inputs are copied; null: all.</param>
    /// <exception cref="BadDataException">An input is missing or empty, or the output cannot be written.</exception>
    public static TableAugmenter Create(IReadOnlyList<string> inputs, string output, IReadOnlyList<DataColumn> columns, (long First, long Count)? range = null) => new(inputs, output, columns, range);

    /// <summary>Joins and gives the output its name.</summary>
    /// <param name="cancellation">Ends the join, which reads all of the input, wherever it is.</param>
    /// <exception cref="BadDataException">The row counts differ, the input is damaged, or the disk is full; the output is then not there.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the output is not there.</exception>
    public void Complete(CancellationToken cancellation = default)
    {
        Rows.Complete();
        Join(_inputs, _columnsPath, _file, _output, _range, cancellation);
        _completed = true;
        _file.Complete();
        File.Delete(_columnsPath);
    }

    /// <summary>Without <see cref="Complete"/>: gives up and leaves nothing.</summary>
    public void Dispose()
    {
        Rows.Dispose();
        if (!_completed) _file.Dispose();
        File.Delete(_columnsPath);
    }

    private static void Join(IReadOnlyList<string> inputs, string columnsParquet, WholeFile file, string output, (long First, long Count)? range, CancellationToken cancellation)
    {
        DataSource left = DataSource.Resolve(inputs), right = DataSource.Resolve([columnsParquet], format: FileFormat.Parquet);
        FileFormat format = FileFormats.Of(output);
        // One thread reads the files from the first row to the last, so LIMIT counts in their order.
        using var session = new DuckDbSession(new SessionOptions { PreserveInsertionOrder = false });
        using CancellationTokenRegistration stop = cancellation.Register(session.Interrupt);
        try
        {
            string whole = WholeTable(session, left, format), rightTable = right.Table();
            string leftTable = range is { } part ? $"(SELECT * FROM {whole} LIMIT {part.Count} OFFSET {part.First})" : whole;
            long rows = Count(session, leftTable), added = Count(session, rightTable);
            if (rows != added)
                throw new BadDataException($"{left.Name} has {rows} rows but there are values for {added}: every row needs one. {output} was not written.");
            IReadOnlyList<(string Name, string SqlType)> newColumns = right.Describe(session, rightTable);
            var names = newColumns.Select(c => c.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
            var kept = left.Describe(session, leftTable).Where(c => !names.Contains(c.Name)).Select(c => (c.Name, c.SqlType, Table: "l."));
            string select = CopyTarget.Select([.. kept, .. newColumns.Select(c => (c.Name, c.SqlType, Table: "r."))], format);
            cancellation.ThrowIfCancellationRequested();
            session.Execute(CopyTarget.Statement($"{select} FROM {leftTable} AS l POSITIONAL JOIN {rightTable} AS r", file.PartialPath, output, format));
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is DuckDbException or BadDataException)
        {
            throw new OperationCanceledException($"{output} was not written.", e, cancellation);
        }
        catch (DuckDbException e)
        {
            throw new BadDataException($"{left.Name} cannot be copied to {output}: {e.Reason}.", e);
        }
    }

    // Text formats: types from all rows. CSV to CSV: no types at all, every field stays as it is written.
    private static string WholeTable(DuckDbSession session, DataSource source, FileFormat output)
    {
        if (source.Format == FileFormat.Csv) return source.Table(wholeFile: true, textOnly: output == FileFormat.Csv);
        string table = source.Table(wholeFile: true);
        return source.Format == FileFormat.Parquet ? table : source.Table(columns: source.Describe(session, table).ToDictionary(c => c.Name, c => c.SqlType));
    }

    private static long Count(DuckDbSession session, string table) => long.Parse(session.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {table}", 1)[0][0]!);
}

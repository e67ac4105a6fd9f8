using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// A Parquet, JSONL, JSON or CSV table (or several of them, one after the other) as a stream of row batches in file order. Memory does not
/// grow with the number of rows. JSONL lines end at \n only: U+0085, U+2028 and the like are text.
/// </summary>
public sealed class DataReader : IDisposable
{
    private readonly DuckDbSession _session;
    private readonly DataSource _source;
    private readonly TablePlan _plan;
    private readonly Dictionary<string, int> _index;

    private DataReader(DuckDbSession session, DataSource source, TablePlan plan)
    {
        (_session, _source, _plan) = (session, source, plan);
        _index = plan.Columns.Select((c, i) => (c.Name, i)).ToDictionary(c => c.Name, c => c.i, StringComparer.Ordinal);
    }

    /// <summary>The columns that are read, in the order asked for; those that are optional and absent are left out.</summary>
    public IReadOnlyList<DataColumn> Columns => _plan.Columns;

    /// <summary>Every column of the file.</summary>
    public IReadOnlyList<DataColumn> FileColumns => _plan.FileColumns;

    /// <summary>What was opened, for messages.</summary>
    public string Name => _source.Name;

    /// <summary>Opens one file, or all files that a pattern with * ? [ ] matches, in the order of their names.</summary>
    /// <exception cref="BadDataException">Missing, empty or damaged file, missing column, wrong type.</exception>
    public static DataReader Open(string pathOrGlob, ReadOptions? options = null) => Open([pathOrGlob], options);

    /// <summary>Opens several files or patterns as one table.</summary>
    /// <exception cref="BadDataException">Missing, empty or damaged file, missing column, wrong type.</exception>
    public static DataReader Open(IReadOnlyList<string> paths, ReadOptions? options = null)
    {
        options ??= new ReadOptions();
        DataSource source = DataSource.Resolve(paths, options.Delimiter);
        var session = new DuckDbSession(new SessionOptions { Threads = options.Threads, MemoryLimit = options.MemoryLimit });
        try
        {
            return new DataReader(session, source, options.Columns is null ? TablePlan.OfAll(session, source) : TablePlan.Of(session, source, options.Columns));
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Number of rows where the file says it (Parquet); null where it would have to be read to know.</summary>
    public long? RowCount => _source.Format == FileFormat.Parquet ? CountRows() : null;

    /// <summary>Number of rows; reads text files once.</summary>
    /// <exception cref="BadDataException">The file is damaged.</exception>
    public long CountRows()
    {
        try
        {
            return long.Parse(_session.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {_plan.Table}", 1)[0][0]!);
        }
        catch (DuckDbException e)
        {
            throw _source.Damaged(e);
        }
    }

    /// <summary>Position of a column in <see cref="Columns"/>, or −1.</summary>
    public int Find(string column) => _index.GetValueOrDefault(column, -1);

    /// <summary>Position of a column in <see cref="Columns"/>.</summary>
    /// <exception cref="BadDataException">The file has no such column; the message lists those it has.</exception>
    public int Require(string column) => Find(column) is >= 0 and int i ? i : throw TablePlan.MissingColumn(_source, column, FileColumns);

    /// <summary>True where a column of texts holds conversations as JSON: its first value that is no empty list is a list of {role, content}. Not while rows are read.</summary>
    /// <exception cref="BadDataException">The file is damaged.</exception>
    public bool HoldsConversations(string column) => FirstText(column) is { } text && JsonText.IsConversation(text);

    /// <summary>True where a column of texts holds lists of texts as JSON, by its first value that is no empty list. Not while rows are read.</summary>
    /// <exception cref="BadDataException">The file is damaged.</exception>
    public bool HoldsTextLists(string column) => FirstText(column) is { } text && JsonText.IsTextList(text);

    private string? FirstText(string column)
    {
        if (FileColumns.FirstOrDefault(c => c.Name == column)?.SqlType is not ("VARCHAR" or "JSON")) return null;
        // As text, without another look at all of a CSV file for its types.
        string table = _source.Format == FileFormat.Csv ? _source.Table(textOnly: true) : _plan.Table, text = $"CAST({Sql.Name(column)} AS VARCHAR)";
        try
        {
            IReadOnlyList<string?[]> first = _session.Texts($"SELECT {text} FROM {table} WHERE {text} IS NOT NULL AND trim({text}) <> '[]' LIMIT 1", 1);
            return first.Count > 0 ? first[0][0] : null;
        }
        catch (DuckDbException e)
        {
            throw _source.Damaged(e);
        }
    }

    /// <summary>
    /// The rows, from the first one each time it is called. A batch is valid until the next one is asked for. One enumeration at a time.
    /// </summary>
    /// <exception cref="BadDataException">A row cannot be read; rows before it have been given.</exception>
    public IEnumerable<RowBatch> Batches()
    {
        using RowStream rows = Start();
        long first = 0;
        while (Fetch(rows) is { } chunk)
        {
            using var batch = new RowBatch(chunk, Columns, _source.Name, first);
            yield return batch;
            first += batch.CountBeforeDispose;
        }
    }

    public void Dispose() => _session.Dispose();

    private RowStream Start()
    {
        try
        {
            return _session.Stream(_plan.Query);
        }
        catch (DuckDbException e)
        {
            throw BadRow(e);
        }
    }

    private ChunkHandle? Fetch(RowStream rows)
    {
        try
        {
            return rows.Next();
        }
        catch (DuckDbException e)
        {
            throw BadRow(e);
        }
    }

    /// <summary>DuckDB names the line in JSON and CSV files; for a failed cast the row is looked for.</summary>
    private RlhfException BadRow(DuckDbException e)
    {
        foreach (DataColumn column in e.IsOutOfMemory ? [] : Columns.Where(c => c.SqlType != Sql.Type(c.Type)))
        {
            string cast = Sql.Read(column.Name, column.SqlType, column.Type).Replace("CAST(", "TRY_CAST(");
            try
            {
                var row = _session.Texts(
                    $"SELECT CAST(r AS VARCHAR), CAST(v AS VARCHAR) FROM (SELECT row_number() OVER () AS r, {Sql.Name(column.Name)} AS v, {cast} AS t FROM {_plan.Table}) "
                    + "WHERE v IS NOT NULL AND t IS NULL LIMIT 1", 2);
                if (row.Count == 0) continue;
                string value = Excerpt.Of(row[0][1] ?? "");
                return new BadDataException(
                    $"{_source.Name}, row {row[0][0]}: column '{column.Name}' holds {Quoted(value)}, which is no {Sql.Type(column.Type)}. Correct the row or name another column.", e);
            }
            catch (DuckDbException)
            {
                // The search met the same damage: then the first message is the one that helps.
                break;
            }
        }

        return _source.Damaged(e);
    }

    private static string Quoted(string value) => "'" + value.ReplaceLineEndings(" ") + "'";
}

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
    private readonly string _table;
    private readonly string _query;
    private readonly Dictionary<string, int> _index;

    private DataReader(DuckDbSession session, DataSource source, string table, IReadOnlyList<DataColumn> columns, IReadOnlyList<DataColumn> fileColumns)
    {
        _session = session;
        _source = source;
        _table = table;
        Columns = columns;
        FileColumns = fileColumns;
        _index = columns.Select((c, i) => (c.Name, i)).ToDictionary(c => c.Name, c => c.i, StringComparer.Ordinal);
        string list = columns.Count == 0 ? "NULL" : string.Join(", ", columns.Select(c => Sql.Read(c.Name, c.SqlType, c.Type)));
        _query = $"SELECT {list} FROM {table}";
    }

    /// <summary>The columns that are read, in the order asked for; those that are optional and absent are left out.</summary>
    public IReadOnlyList<DataColumn> Columns { get; }

    /// <summary>Every column of the file.</summary>
    public IReadOnlyList<DataColumn> FileColumns { get; }

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
            return options.Columns is null ? OpenAll(session, source) : OpenSome(session, source, options.Columns);
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
            return long.Parse(_session.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {_table}", 1)[0][0]!);
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
    public int Require(string column) => Find(column) is >= 0 and int i ? i : throw MissingColumn(_source, column, FileColumns);

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
        string table = _source.Format == FileFormat.Csv ? _source.Table(textOnly: true) : _table, text = $"CAST({Sql.Name(column)} AS VARCHAR)";
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
            return _session.Stream(_query);
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

    private static DataReader OpenAll(DuckDbSession session, DataSource source)
    {
        // Text formats: all rows decide the types, or a number that turns into text late in the file would stop the run there.
        string table = source.Table(wholeFile: true);
        DataColumn[] columns = [.. source.Describe(session, table).Select(c => new DataColumn(c.Name, Sql.BestFor(c.SqlType)) { SqlType = c.SqlType })];
        if (source.Format is FileFormat.Json or FileFormat.JsonLines)
            table = source.Table(columns: columns.ToDictionary(c => c.Name, c => c.SqlType));
        return new DataReader(session, source, table, columns, columns);
    }

    private static DataReader OpenSome(DuckDbSession session, DataSource source, IReadOnlyList<DataColumn> wanted)
    {
        string table = source.Table();
        IReadOnlyList<(string Name, string SqlType)> described = source.Describe(session, table);
        bool textFormat = source.Format != FileFormat.Parquet;
        bool unseen = wanted.Any(w => described.All(d => d.Name != w.Name)), whole = wanted.Any(w => Sql.IsInteger(w.Type) && described.Any(d => d.Name == w.Name));
        if (textFormat && (unseen || whole) && source.Format != FileFormat.Csv)
        {
            // The field may appear, or a fraction among its integers (which would be rounded), only after the rows that are sampled.
            described = source.Describe(session, source.Table(wholeFile: true));
        }

        DataColumn[] fileColumns = [.. described.Select(c => new DataColumn(c.Name, Sql.BestFor(c.SqlType)) { SqlType = c.SqlType })];
        var columns = new List<DataColumn>();
        foreach (DataColumn column in wanted)
        {
            DataColumn? found = fileColumns.FirstOrDefault(c => c.Name == column.Name);
            if (found is null && column.Optional) continue;
            if (found is null && fileColumns is [{ Name: "json", SqlType: "JSON" }])
                throw new BadDataException($"{source.Name} has no rows with named fields; expected JSON objects with '{column.Name}'.");
            if (found is null) throw MissingColumn(source, column.Name, fileColumns);
            if (!Sql.CanRead(found.SqlType, column.Type, source.Format))
                throw new BadDataException($"{source.Name}: column '{column.Name}' is {found.SqlType}; expected {Expected(column.Type)}. Name another column or convert it.");
            columns.Add(column with { SqlType = found.SqlType });
        }

        if (source.Format == FileFormat.Csv)
        {
            // What is wanted as text is read as text, so that "007" stays "007".
            table = source.Table(textOnly: true);
            columns = [.. columns.Select(c => c with { SqlType = "VARCHAR" })];
        }
        else if (textFormat && columns.Count > 0)
        {
            table = source.Table(columns: columns.ToDictionary(c => c.Name, c => Sql.Type(c.Type)));
            columns = [.. columns.Select(c => c with { SqlType = Sql.Type(c.Type) })];
        }

        return new DataReader(session, source, table, columns, fileColumns);
    }

    private static BadDataException MissingColumn(DataSource source, string column, IReadOnlyList<DataColumn> present)
    {
        string[] names = [.. present.Select(c => c.Name)];
        string near = NearestName.Of(column, names) is { } n ? $" Did you mean '{n}'?" : "";
        return new BadDataException($"{source.Name} has no column '{column}'. It has: {string.Join(", ", names)}.{near}");
    }

    private static string Expected(ColumnType type) => type switch
    {
        ColumnType.Text => "text or a number",
        ColumnType.Messages => "a list of {role, content} or its JSON text",
        ColumnType.DoubleMap => "a map or struct of names to numbers",
        _ => Sql.Type(type),
    };

    /// <summary>DuckDB names the line in JSON and CSV files; for a failed cast the row is looked for.</summary>
    private RlhfException BadRow(DuckDbException e)
    {
        foreach (DataColumn column in e.IsOutOfMemory ? [] : Columns.Where(c => c.SqlType != Sql.Type(c.Type)))
        {
            string cast = Sql.Read(column.Name, column.SqlType, column.Type).Replace("CAST(", "TRY_CAST(");
            try
            {
                var row = _session.Texts(
                    $"SELECT CAST(r AS VARCHAR), CAST(v AS VARCHAR) FROM (SELECT row_number() OVER () AS r, {Sql.Name(column.Name)} AS v, {cast} AS t FROM {_table}) "
                    + "WHERE v IS NOT NULL AND t IS NULL LIMIT 1", 2);
                if (row.Count == 0) continue;
                string value = row[0][1] is { Length: > 60 } v ? v[..60] + "…" : row[0][1] ?? "";
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

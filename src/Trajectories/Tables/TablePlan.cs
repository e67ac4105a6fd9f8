using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>How a source is read: the table, and the columns with the types that they have in it.</summary>
/// <param name="Table">A SQL table expression.</param>
/// <param name="Columns">What is read, in order.</param>
/// <param name="FileColumns">Every column of the file.</param>
internal sealed record TablePlan(string Table, IReadOnlyList<DataColumn> Columns, IReadOnlyList<DataColumn> FileColumns)
{
    /// <summary>The query that gives the columns' values.</summary>
    public string Query => $"SELECT {(Columns.Count == 0 ? "NULL" : string.Join(", ", Columns.Select(c => Sql.Read(c.Name, c.SqlType, c.Type))))} FROM {Table}";

    /// <summary>Every column, as the type that fits it best.</summary>
    public static TablePlan OfAll(DuckDbSession session, DataSource source)
    {
        // Text formats: all rows decide the types, or a number that turns into text late in the file would stop the run there.
        string table = source.Table(wholeFile: true);
        DataColumn[] columns = [.. source.Describe(session, table).Select(c => new DataColumn(c.Name, Sql.BestFor(c.SqlType)) { SqlType = c.SqlType })];
        if (source.Format is FileFormat.Json or FileFormat.JsonLines)
            table = source.Table(columns: columns.ToDictionary(c => c.Name, c => c.SqlType));
        return new TablePlan(table, columns, columns);
    }

    /// <summary>Chosen columns, as the types that are wanted.</summary>
    /// <exception cref="BadDataException">A column is missing or of a type that cannot be read so.</exception>
    public static TablePlan Of(DuckDbSession session, DataSource source, IReadOnlyList<DataColumn> wanted)
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

        return new TablePlan(table, columns, fileColumns);
    }

    /// <summary>Says what the file has instead.</summary>
    public static BadDataException MissingColumn(DataSource source, string column, IReadOnlyList<DataColumn> present)
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
}

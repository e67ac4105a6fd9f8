using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Reads text columns of any data files in file order, with the configured replacements applied.</summary>
public static class TextRows
{
    /// <summary>One row: its number over all files, the wanted columns (null where the row has none), and its list where one is wanted.</summary>
    public readonly record struct Row(long Number, string?[] Texts, string[]? List = null);

    /// <param name="files">Paths or globs.</param>
    /// <param name="columns">Columns wanted; each must exist.</param>
    /// <param name="replace">from → to, applied to every text.</param>
    /// <param name="listColumn">A column of lists of texts, or null.</param>
    public static IEnumerable<Row> Read(IReadOnlyList<string> files, IReadOnlyList<string> columns, IReadOnlyDictionary<string, string> replace, string? listColumn = null)
    {
        if (files.Count == 0) throw new ConfigurationException("data: no file is named; give at least one Parquet, JSONL or CSV file.");
        using DataReader reader = DataReader.Open(files);
        int[] at = [.. columns.Select(reader.Require)];
        int list = listColumn is null ? -1 : reader.Require(listColumn);
        if (list >= 0 && reader.Columns[list].Type != ColumnType.TextList)
        {
            throw new BadDataException($"{reader.Name}: the column '{listColumn}' is {reader.Columns[list].SqlType}; it must be a list of texts, best first.");
        }

        foreach (RowBatch batch in reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                string?[] texts = new string?[at.Length];
                for (int i = 0; i < at.Length; i++)
                {
                    if (batch.IsNull(at[i], row)) continue;
                    texts[i] = Replaced(Text(reader.Columns[at[i]], batch, at[i], row), replace);
                }

                yield return new Row(batch.FirstRow + row, texts, list < 0 ? null : batch.GetTextList(list, row)?.Select(t => Replaced(t, replace)).ToArray());
            }
        }
    }

    internal static string Replaced(string text, IReadOnlyDictionary<string, string> replace)
    {
        foreach ((string from, string to) in replace) text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }

    internal static string Text(DataColumn column, RowBatch batch, int at, int row) => column.Type switch
    {
        ColumnType.Int32 => Invariant(batch.GetInt32(at, row)),
        ColumnType.Int64 => Invariant(batch.GetInt64(at, row)),
        ColumnType.Double => Invariant(batch.GetDouble(at, row)),
        ColumnType.Float => Invariant(batch.GetFloat(at, row)),
        ColumnType.Bool => batch.GetBool(at, row) ? "1" : "0",
        _ => batch.GetString(at, row) ?? "",
    };

    private static string Invariant(IFormattable value) => value.ToString(null, System.Globalization.CultureInfo.InvariantCulture);
}

using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Reads text columns of any data files in file order, with the configured replacements applied.</summary>
public static class TextRows
{
    /// <summary>One row: its number over all files, and the wanted columns (null where the row has none).</summary>
    public readonly record struct Row(long Number, string?[] Texts);

    /// <param name="files">Paths or globs.</param>
    /// <param name="columns">Columns wanted; each must exist.</param>
    /// <param name="replace">from → to, applied to every text.</param>
    public static IEnumerable<Row> Read(IReadOnlyList<string> files, IReadOnlyList<string> columns, IReadOnlyDictionary<string, string> replace)
    {
        if (files.Count == 0) throw new ConfigurationException("data: no file is named; give at least one Parquet, JSONL or CSV file.");
        using DataReader reader = DataReader.Open(files);
        int[] at = [.. columns.Select(reader.Require)];
        foreach (RowBatch batch in reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                string?[] texts = new string?[at.Length];
                for (int i = 0; i < at.Length; i++)
                {
                    if (batch.IsNull(at[i], row)) continue;
                    string text = Text(reader.Columns[at[i]], batch, at[i], row);
                    foreach ((string from, string to) in replace) text = text.Replace(from, to, StringComparison.Ordinal);
                    texts[i] = text;
                }

                yield return new Row(batch.FirstRow + row, texts);
            }
        }
    }

    private static string Text(DataColumn column, RowBatch batch, int at, int row) => column.Type switch
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

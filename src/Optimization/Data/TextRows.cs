using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Reads text columns of any data files in file order, with the configured replacements applied.</summary>
public static class TextRows
{
    /// <summary>One row: its number over all files and the wanted columns (null where the row has none).</summary>
    public readonly record struct Row(long Number, string?[] Texts);

    /// <param name="files">Paths or globs.</param>
    /// <param name="columns">Columns wanted; each must exist.</param>
    /// <param name="replace">from → to, applied to every text.</param>
    public static IEnumerable<Row> Read(IReadOnlyList<string> files, IReadOnlyList<string> columns, IReadOnlyDictionary<string, string> replace)
    {
        if (files.Count == 0) throw new ConfigurationException("data: no file is named; give at least one Parquet, JSONL or CSV file.");
        using DataReader reader = DataReader.Open(files);
        TextColumn[] wanted = [.. columns.Select(c => TextColumn.Of(reader, c))];
        foreach (RowBatch batch in reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                string?[] texts = new string?[wanted.Length];
                for (int i = 0; i < wanted.Length; i++) texts[i] = wanted[i].Get(batch, row) is { } text ? Replaced(text, replace) : null;
                yield return new Row(batch.FirstRow + row, texts);
            }
        }
    }

    internal static string Replaced(string text, IReadOnlyDictionary<string, string> replace)
    {
        foreach ((string from, string to) in replace) text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }
}

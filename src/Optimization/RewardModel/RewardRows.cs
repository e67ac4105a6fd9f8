using System.Globalization;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>One row of data before tokenisation, or why it is left out.</summary>
/// <param name="Number">Over all files.</param>
/// <param name="Texts">As <see cref="RewardExample.Texts"/>; the steps for process rewards.</param>
/// <param name="Prompt">Put before each text.</param>
/// <param name="Label">Label, score or margin.</param>
/// <param name="Steps">Labels of steps.</param>
/// <param name="Reason">Why the row is left out; null: it is not.</param>
public readonly record struct RewardRow(long Number, string[] Texts, string Prompt, double Label, double[]? Steps, string? Reason);

/// <summary>Reads preference pairs, rankings, scores, labels and steps from any table.</summary>
public static class RewardRows
{
    /// <summary>Rows in file order.</summary>
    /// <param name="config">Objective, columns and replacements.</param>
    /// <param name="files">Paths or globs.</param>
    /// <param name="tell">Called with what was assumed.</param>
    /// <exception cref="BadDataException">A file or column is missing or damaged.</exception>
    public static IEnumerable<RewardRow> Read(RewardModelConfig config, IReadOnlyList<string> files, Action<string> tell)
    {
        if (files.Count == 0) throw new ConfigurationException("data: no file is named; give at least one Parquet, JSONL or CSV file.");
        using DataReader reader = DataReader.Open(files);
        config = RewardColumns.Resolve(config, reader, tell);
        TextColumn? prompt = config.PromptColumn.Length > 0 ? TextColumn.Of(reader, config.PromptColumn, tell) : null;
        Func<RowBatch, int, (string[], double, double[]?, string?)> parse = Parser(config, reader, tell);
        foreach (RowBatch batch in reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                (string[] texts, double label, double[]? steps, string? reason) = parse(batch, row);
                if (reason is null && texts.Any(t => t.Length == 0)) reason = "an empty text";
                string before = prompt?.Get(batch, row) is { } text ? TextRows.Replaced(text, config.Replace) : "";
                yield return new RewardRow(batch.FirstRow + row, texts, before, label, steps, reason);
            }
        }
    }

    private static Func<RowBatch, int, (string[] Texts, double Label, double[]? Steps, string? Reason)> Parser(RewardModelConfig config, DataReader reader, Action<string> tell)
    {
        const string isNull = "a column is null";
        TextColumn Column(string name) => TextColumn.Of(reader, name, tell);
        string? Get(RowBatch batch, TextColumn column, int row) => column.Get(batch, row) is { } text ? TextRows.Replaced(text, config.Replace) : null;
        switch (config.Objective)
        {
            case RewardObjective.Pairwise:
                TextColumn chosen = Column(config.ChosenColumn), rejected = Column(config.RejectedColumn);
                TextColumn? margin = config.MarginColumn.Length > 0 ? Column(config.MarginColumn) : null;
                return (batch, row) =>
                {
                    if (Get(batch, chosen, row) is not { } better || Get(batch, rejected, row) is not { } worse) return ([], 0, null, isNull);
                    if (better == worse) return ([], 0, null, "chosen and rejected are equal");
                    double own = 0;
                    return margin is null || TryNumber(Get(batch, margin, row), out own) ? ([better, worse], own, null, null) : ([], 0, null, "the margin is no number");
                };
            case RewardObjective.KWise or RewardObjective.PlackettLuce:
                int ranking = TextList(reader, config.RankingColumn, "best first", tell);
                return (batch, row) =>
                {
                    if (batch.GetTextList(ranking, row) is not { } list) return ([], 0, null, isNull);
                    string[] answers = [.. list.Select(t => TextRows.Replaced(t, config.Replace))];
                    string? reason = answers.Length < 2 ? "a ranking of fewer than two answers"
                        : answers.Distinct(StringComparer.Ordinal).Count() < answers.Length ? "a ranking has an answer twice" : null;
                    return (answers, 0, null, reason);
                };
            case RewardObjective.Process:
                int steps = TextList(reader, config.StepsColumn, "the steps of an answer", tell), marks = reader.Require(config.StepLabelsColumn);
                return (batch, row) =>
                {
                    if (batch.GetTextList(steps, row) is not { } list || Numbers(reader, batch, marks, row) is not { } labels) return ([], 0, null, isNull);
                    string? reason = list.Length == 0 ? "no step" : list.Length != labels.Length ? "steps and labels differ in number" : labels.Any(y => y is not (0 or 1)) ? "a step's label is neither 0 nor 1" : null;
                    return ([.. list.Select(t => TextRows.Replaced(t, config.Replace))], 0, labels, reason);
                };
            case RewardObjective.Discriminator:
                TextColumn human = Column(config.TextColumn);
                return (batch, row) => Get(batch, human, row) is { } text ? ([text], 1, null, null) : ([], 0, null, isNull);
            default:
                TextColumn column = Column(config.TextColumn), label = Column(config.LabelColumn);
                bool isBinary = config.Objective == RewardObjective.Binary;
                return (batch, row) =>
                {
                    if (Get(batch, column, row) is not { } text || Get(batch, label, row) is not { } word) return ([], 0, null, isNull);
                    bool known = isBinary ? TryLabel(word, out double value) : TryNumber(word, out value);
                    return ([text], value, null, known ? null : isBinary ? "the label is neither 0 nor 1" : "the score is no number");
                };
        }
    }

    /// <summary>0/1, −1/1, true/false and the words that thumbs and sentiments are written with.</summary>
    internal static bool TryLabel(string word, out double label)
    {
        if (TryNumber(word, out label))
        {
            if (label == -1) label = 0;
            return label is 0 or 1;
        }

        switch (word.Trim().ToUpperInvariant().Replace(' ', '_').Replace('-', '_'))
        {
            case "YES" or "POSITIVE" or "POS" or "GOOD" or "UP" or "THUMBS_UP" or "THUMB_UP" or "LIKE" or "LIKED" or "👍":
                label = 1;
                return true;
            case "NO" or "NEGATIVE" or "NEG" or "BAD" or "DOWN" or "THUMBS_DOWN" or "THUMB_DOWN" or "DISLIKE" or "DISLIKED" or "👎":
                label = 0;
                return true;
            default:
                label = double.NaN;
                return false;
        }
    }

    private static bool TryNumber(string? text, out double number)
    {
        if (bool.TryParse(text, out bool truth))
        {
            number = truth ? 1 : 0;
            return true;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
    }

    // CSV files, and Parquet files with text columns, have lists as JSON text.
    private static int TextList(DataReader reader, string name, string what, Action<string> tell)
    {
        int column = reader.Require(name);
        string type = reader.Columns[column].SqlType;
        if (reader.Columns[column].Type == ColumnType.TextList) return column;
        if (!reader.HoldsTextLists(name)) throw new BadDataException($"{reader.Name}: the column '{name}' is {type}; it must be a list of texts, {what}.");
        tell($"{reader.Name}: the texts of column '{name}' are read as JSON lists of texts, {what}");
        return column;
    }

    private static double[]? Numbers(DataReader reader, RowBatch batch, int column, int row) => reader.Columns[column].Type switch
    {
        ColumnType.Int32List => batch.GetInt32List(column, row)?.Select(n => (double)n).ToArray(),
        ColumnType.Int64List => batch.GetInt64List(column, row)?.Select(n => (double)n).ToArray(),
        ColumnType.DoubleList or ColumnType.Text or ColumnType.Json => batch.GetDoubleList(column, row),
        _ => throw new BadDataException($"{reader.Name}: the column '{reader.Columns[column].Name}' is {reader.Columns[column].SqlType}; it must be a list of numbers, 0 or 1 a step."),
    };
}

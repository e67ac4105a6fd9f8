using System.Globalization;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Examples from data files, split into training and held-out by blocks of rows; what is dropped is counted by reason.</summary>
public static class RewardData
{
    public static (List<RewardExample> Training, List<RewardExample> HeldOut) Load(RewardModelConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        bool ranking = config.Objective is RewardObjective.KWise or RewardObjective.PlackettLuce;
        string[] text = ranking ? [] : config.Objective == RewardObjective.Pairwise ? [config.ChosenColumn, config.RejectedColumn] : [config.TextColumn, config.LabelColumn];
        string[] columns = config.PromptColumn.Length > 0 ? [.. text, config.PromptColumn] : text;
        var training = new List<RewardExample>();
        var heldOut = new List<RewardExample>();
        var dropped = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (TextRows.Row row in TextRows.Read(config.Data, columns, config.Replace, ranking ? config.RankingColumn : null))
        {
            cancellation.ThrowIfCancellationRequested();
            string prompt = config.PromptColumn.Length > 0 ? row.Texts[^1] ?? "" : "";
            (string[] texts, double label, string? reason) = row.Texts.Any(t => t is null) || (ranking && row.List is null) ? ([], 0, "a column is null")
                : ranking ? Ranking(row.List!)
                : config.Objective == RewardObjective.Pairwise ? Pair(row.Texts)
                : Labelled(row.Texts, config.Objective);
            if (reason is null && texts.Any(t => t.Length == 0)) reason = "an empty text";
            if (reason is not null)
            {
                dropped[reason] = dropped.GetValueOrDefault(reason) + 1;
                continue;
            }

            int[][] tokens = [.. texts.Select(t => tokenizer.EncodePrompt(prompt + t))];
            (HoldOut.Contains(row.Number, config.HeldOutFraction, config.Seed) ? heldOut : training).Add(new RewardExample(tokens, label, row.Number));
        }

        foreach ((string reason, int count) in dropped) Console.WriteLine($"left out {count:N0} rows: {reason}");
        if (training.Count == 0)
        {
            string why = dropped.Count == 0 ? "the files have no rows" : string.Join("; ", dropped.Select(d => $"{d.Value:N0} rows: {d.Key}"));
            throw new BadDataException($"{string.Join(", ", config.Data)}: no example is left for training ({why}).");
        }

        return (training, heldOut);
    }

    private static (string[] Texts, double Label, string? Reason) Ranking(string[] answers) =>
        (answers, 0, answers.Length < 2 ? "a ranking of fewer than two answers" : answers.Distinct(StringComparer.Ordinal).Count() < answers.Length ? "a ranking has an answer twice" : null);

    private static (string[] Texts, double Label, string? Reason) Pair(string?[] columns) =>
        ([columns[0]!, columns[1]!], 0, columns[0] == columns[1] ? "chosen and rejected are equal" : null);

    private static (string[] Texts, double Label, string? Reason) Labelled(string?[] columns, RewardObjective objective)
    {
        string? reason = TryLabel(columns[1]!, objective, out double label) ? null
            : objective == RewardObjective.Binary ? "the label is neither 0 nor 1" : "the score is no number";
        return ([columns[0]!], label, reason);
    }

    private static bool TryLabel(string text, RewardObjective objective, out double label)
    {
        if (bool.TryParse(text, out bool thumb))
        {
            label = thumb ? 1 : 0;
            return true;
        }

        bool number = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out label) && double.IsFinite(label);
        return number && (objective != RewardObjective.Binary || label is 0 or 1);
    }
}

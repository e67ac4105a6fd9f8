using System.Globalization;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Examples from data files, split into training and held-out by blocks of rows; what is dropped is counted by reason.</summary>
public static class RewardData
{
    public static (List<RewardExample> Training, List<RewardExample> HeldOut) Load(RewardModelConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        bool pairs = config.Objective == RewardObjective.Pairwise;
        string[] text = pairs ? [config.ChosenColumn, config.RejectedColumn] : [config.TextColumn, config.LabelColumn];
        string[] columns = config.PromptColumn.Length > 0 ? [.. text, config.PromptColumn] : text;
        var training = new List<RewardExample>();
        var heldOut = new List<RewardExample>();
        var dropped = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (TextRows.Row row in TextRows.Read(config.Data, columns, config.Replace))
        {
            cancellation.ThrowIfCancellationRequested();
            string prompt = config.PromptColumn.Length > 0 ? row.Texts[2] ?? "" : "";
            double label = 0;
            string? reason = row.Texts.Any(t => t is null) ? "a column is null"
                : row.Texts[0]!.Length == 0 || (pairs && row.Texts[1]!.Length == 0) ? "an empty text"
                : pairs && row.Texts[0] == row.Texts[1] ? "chosen and rejected are equal"
                : !pairs && !TryLabel(row.Texts[1]!, config.Objective, out label) ? (config.Objective == RewardObjective.Binary ? "the label is neither 0 nor 1" : "the score is no number")
                : null;
            if (reason is not null)
            {
                dropped[reason] = dropped.GetValueOrDefault(reason) + 1;
                continue;
            }

            int[][] texts = pairs
                ? [tokenizer.EncodePrompt(prompt + row.Texts[0]!), tokenizer.EncodePrompt(prompt + row.Texts[1]!)]
                : [tokenizer.EncodePrompt(prompt + row.Texts[0]!)];
            (HoldOut.Contains(row.Number, config.HeldOutFraction, config.Seed) ? heldOut : training).Add(new RewardExample(texts, label, row.Number));
        }

        foreach ((string reason, int count) in dropped) Console.WriteLine($"left out {count:N0} rows: {reason}");
        if (training.Count == 0)
        {
            string why = dropped.Count == 0 ? "the files have no rows" : string.Join("; ", dropped.Select(d => $"{d.Value:N0} rows: {d.Key}"));
            throw new BadDataException($"{string.Join(", ", config.Data)}: no example is left for training ({why}).");
        }

        return (training, heldOut);
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

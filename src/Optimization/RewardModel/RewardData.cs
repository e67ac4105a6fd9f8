using System.Globalization;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Examples from data files, split into training and held-out by blocks of rows or by file; what is dropped is counted by reason.</summary>
public static class RewardData
{
    /// <summary>Rows of negatives are numbered from here on: their addresses are their own.</summary>
    private const long FirstNegative = 1L << 30;

    /// <summary>Training and held-out examples of a configuration.</summary>
    /// <exception cref="BadDataException">A file or column is missing or damaged, or nothing is left for training.</exception>
    public static (List<RewardExample> Training, List<RewardExample> HeldOut) Load(RewardModelConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        var report = new DropReport(config.MaxLength);
        (List<RewardExample> training, List<RewardExample> heldOut) = Labelled(config, tokenizer, report, cancellation);
        if (config.Negatives.Count > 0)
        {
            foreach (RewardExample example in Negatives(config, config.Negatives, tokenizer, [.. training], report, cancellation))
            {
                // Texts that fool the model are for training; the policy's samples of a discriminator are half of its data, and without some of them
                // held out a model that takes everything for a person's would be the best.
                bool held = config.Objective == RewardObjective.Discriminator && HoldOut.Contains(example.Row, config.HeldOutFraction, config.Seed);
                (held ? heldOut : training).Add(example);
            }
        }
        else if (config.Objective == RewardObjective.Discriminator)
        {
            throw new ConfigurationException("negatives: a discriminator needs the policy's samples; name their files (the rollouts of a run, for example).");
        }

        report.Tell();
        return (training, heldOut);
    }

    /// <summary>As <see cref="Load"/>, without the configuration's negatives.</summary>
    public static (List<RewardExample> Training, List<RewardExample> HeldOut) Labelled(RewardModelConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        var report = new DropReport(config.MaxLength);
        (List<RewardExample>, List<RewardExample>) examples = Labelled(config, tokenizer, report, cancellation);
        report.Tell();
        return examples;
    }

    /// <summary>The texts of some files as negatives of the objective.</summary>
    /// <param name="config">Objective and columns (<c>negative_…</c>).</param>
    /// <param name="files">Paths or globs.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="labelled">Training examples: a pair's better text is one of theirs, the lowest score is that of theirs.</param>
    /// <param name="cancellation">Between rows.</param>
    /// <exception cref="ConfigurationException">The objective has no place for them.</exception>
    public static List<RewardExample> Negatives(RewardModelConfig config, IReadOnlyList<string> files, Tokenizer tokenizer, IReadOnlyList<RewardExample> labelled, CancellationToken cancellation) =>
        [.. Negatives(config, files, tokenizer, labelled, new DropReport(config.MaxLength), cancellation, quiet: true)];

    /// <summary>At most so many of the examples, chosen by address, in their order.</summary>
    internal static List<RewardExample> Sample(List<RewardExample> examples, int count, ulong seed) =>
        count >= examples.Count ? examples : [.. AddressedRandom.Permutation(examples.Count, seed, 0xE7A1).Take(count).Order().Select(i => examples[i])];

    /// <summary>What no training could learn from, and settings that need held-out rows where none came out.</summary>
    /// <exception cref="BadDataException">Every label or score is the same, or nothing is held out for what needs it.</exception>
    internal static void Check(RewardModelConfig config, List<RewardExample> training, List<RewardExample> heldOut)
    {
        string data = string.Join(", ", config.Data);
        if (heldOut.Count == 0 && (config.Calibrate || config.Patience > 0))
            throw new BadDataException($"{data}: {(config.Calibrate ? "calibrate" : "patience")} needs held-out rows, and none came out: rows are held out in blocks of {HoldOut.BlockRows}. Name held_out_data, or give more data or a larger held_out_fraction.");
        if (config.Objective is RewardObjective.Pairwise or RewardObjective.KWise or RewardObjective.PlackettLuce or RewardObjective.Discriminator) return;
        double first = training[0].StepLabels?[0] ?? training[0].Label;
        if (training.Count > 1 && training.TrueForAll(e => (e.StepLabels ?? [e.Label]).All(y => y == first)))
            throw new BadDataException($"{data}: the label of all {training.Count} training examples is {first.ToString(CultureInfo.InvariantCulture)}; there is nothing to learn. Check the column of labels, and what was left out.");
    }

    private static double Fraction(RewardModelConfig config) => config.HeldOutData.Count > 0 ? 0 : config.HeldOutFraction;

    private static (List<RewardExample> Training, List<RewardExample> HeldOut) Labelled(RewardModelConfig config, Tokenizer tokenizer, DropReport report, CancellationToken cancellation)
    {
        double fraction = Fraction(config);
        List<RewardExample> training = [], heldOut = [];
        foreach (RewardExample example in Examples(config, config.Data, tokenizer, report, cancellation))
            (HoldOut.Contains(example.Row, fraction, config.Seed) ? heldOut : training).Add(example);
        if (training.Count == 0 && heldOut.Count > 0)
            throw new BadDataException($"{string.Join(", ", config.Data)}: all {heldOut.Count} examples are held out (held_out_fraction {fraction.ToString(CultureInfo.InvariantCulture)}, in blocks of {HoldOut.BlockRows} rows), none is left for training. Name held_out_data, or give more data or another seed.");
        if (training.Count == 0) throw new BadDataException($"{string.Join(", ", config.Data)}: no example is left for training ({report.Reasons}).");
        if (config.HeldOutData.Count > 0) heldOut.AddRange(Examples(config, config.HeldOutData, tokenizer, report, cancellation));
        return (training, heldOut);
    }

    /// <summary>Every example of some files, for an evaluation.</summary>
    public static List<RewardExample> All(RewardModelConfig config, IReadOnlyList<string> files, Tokenizer tokenizer, CancellationToken cancellation)
    {
        var report = new DropReport(config.MaxLength);
        List<RewardExample> examples = [.. Examples(config, files, tokenizer, report, cancellation)];
        report.Tell();
        return examples;
    }

    private static IEnumerable<RewardExample> Examples(
        RewardModelConfig config, IReadOnlyList<string> files, Tokenizer tokenizer, DropReport report, CancellationToken cancellation, bool quiet = false)
    {
        foreach (RewardRow row in RewardRows.Read(config, files, quiet ? _ => { } : Console.WriteLine))
        {
            cancellation.ThrowIfCancellationRequested();
            RewardExample? example = row.Reason is null ? row.Steps is null ? Texts(row, tokenizer) : Steps(row, tokenizer) : null;
            string? reason = row.Reason ?? (row.Steps is not null && example!.Texts[0].Length > config.MaxLength ? "steps longer than max_length" : null);
            if (reason is not null) report.Drop(reason);
            else yield return report.Keep(example!);
        }
    }

    private static RewardExample Texts(RewardRow row, Tokenizer tokenizer) =>
        new([.. row.Texts.Select(t => tokenizer.EncodePrompt(row.Prompt + t))], row.Label, row.Number);

    // Steps are encoded one by one, so that each ends with a token of its own.
    private static RewardExample Steps(RewardRow row, Tokenizer tokenizer)
    {
        var tokens = new List<int>(tokenizer.EncodePrompt(row.Prompt));
        var ends = new List<int>();
        foreach (string step in row.Texts)
        {
            tokens.AddRange(tokenizer.Encode(step));
            ends.Add(tokens.Count - 1);
        }

        return new RewardExample([[.. tokens]], 0, row.Number) { StepLabels = row.Steps, StepEnds = [.. ends] };
    }

    private static IEnumerable<RewardExample> Negatives(
        RewardModelConfig config, IReadOnlyList<string> files, Tokenizer tokenizer, IReadOnlyList<RewardExample> training, DropReport report, CancellationToken cancellation, bool quiet = false)
    {
        if (config.Objective is RewardObjective.KWise or RewardObjective.PlackettLuce or RewardObjective.Process)
            throw new ConfigurationException($"negatives: {config.Objective} has no place for texts that belong to no comparison; use pairwise or binary.");
        double label = config.Objective switch
        {
            RewardObjective.Regression or RewardObjective.Huber => training.Min(e => e.Label),
            RewardObjective.Binary => config.NegativeLabel,
            _ => 0,
        };
        RewardModelConfig reading = config with { Objective = RewardObjective.Discriminator, TextColumn = config.NegativeColumn, PromptColumn = config.NegativePromptColumn };
        foreach (RewardExample text in Examples(reading, files, tokenizer, report, cancellation, quiet))
        {
            long row = FirstNegative + text.Row;
            if (config.Objective != RewardObjective.Pairwise)
            {
                yield return new RewardExample(text.Texts, label, row);
                continue;
            }

            int partner = (int)(AddressedRandom.Uniform(config.Seed, AddressedRandom.Stream.Data, 0x4E6, (uint)text.Row) * training.Count);
            yield return new RewardExample([training[partner].Texts[0], text.Texts[0]], 0, row);
        }
    }

    /// <summary>What was left out and why, and what was cut.</summary>
    private sealed class DropReport(int maxLength)
    {
        private readonly SortedDictionary<string, int> _dropped = new(StringComparer.Ordinal);
        private int _cut, _texts;

        public string Reasons => _dropped.Count == 0 ? "the files have no rows" : string.Join("; ", _dropped.Select(d => $"{d.Value:N0} rows: {d.Key}"));

        public void Drop(string reason) => _dropped[reason] = _dropped.GetValueOrDefault(reason) + 1;

        public RewardExample Keep(RewardExample example)
        {
            _texts += example.Texts.Length;
            _cut += example.Texts.Count(t => t.Length > maxLength);
            return example;
        }

        public void Tell()
        {
            foreach ((string reason, int count) in _dropped) Console.WriteLine($"left out {count:N0} rows: {reason}");
            if (_cut > 0) Console.WriteLine($"{_cut:N0} of {_texts:N0} texts are longer than max_length ({maxLength} tokens): evaluations read their end, training crops of them");
        }
    }
}

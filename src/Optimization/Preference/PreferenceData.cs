using Rlhf.Core;
using Rlhf.Tokenization;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Preferences from data files: pairs, or (KTO) responses with thumbs; tokens where the file has them, else texts. Held out by prompt.</summary>
public sealed class PreferenceData
{
    private const string PromptTokens = "prompt_tokens", ChosenTokens = "chosen_tokens", RejectedTokens = "rejected_tokens";

    private readonly PreferenceConfig _config;
    private readonly Tokenizer _tokenizer;
    private readonly Dictionary<string, int> _prompts = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _dropped = new(StringComparer.Ordinal);

    private PreferenceData(PreferenceConfig config, Tokenizer tokenizer) => (_config, _tokenizer) = (config, tokenizer);

    public List<PreferenceExample> Training { get; } = [];

    public List<PreferenceExample> HeldOut { get; } = [];

    /// <exception cref="ConfigurationException">No file is named.</exception>
    /// <exception cref="BadDataException">A column is missing, or nothing is left to train on.</exception>
    public static PreferenceData Load(PreferenceConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        var data = new PreferenceData(config, tokenizer);
        if (config.Data.Count == 0) throw new ConfigurationException("data: no file is named; give at least one Parquet, JSONL or CSV file.");
        using (DataReader reader = DataReader.Open(config.Data)) data.Read(reader, cancellation);
        foreach ((string reason, int count) in data._dropped) Console.WriteLine($"left out {count:N0} rows: {reason}");
        if (data.Training.Count == 0)
        {
            string why = data._dropped.Count == 0 ? "the files have no rows, or all are held out" : string.Join("; ", data._dropped.Select(d => $"{d.Value:N0} rows: {d.Key}"));
            throw new BadDataException($"{string.Join(", ", config.Data)}: no preference is left for training ({why}).");
        }

        if (config.Method == PreferenceMethod.Kto)
        {
            Partner(data.Training, config.MaxLength, "for training");
            Partner(data.HeldOut, config.MaxLength, "held out");
        }

        return data;
    }

    private void Read(DataReader reader, CancellationToken cancellation)
    {
        bool labelled = _config.LabelColumn.Length > 0;
        int[] tokens = [reader.Find(PromptTokens), reader.Find(ChosenTokens), reader.Find(RejectedTokens)];
        bool asTokens = !labelled && tokens.All(t => t >= 0);
        string[] names = labelled ? [_config.CompletionColumn, _config.LabelColumn] : [_config.ChosenColumn, _config.RejectedColumn];
        TextColumn[] texts = asTokens ? [] : [.. names.Select(n => TextColumn.Of(reader, n))];
        TextColumn? prompt = asTokens || _config.PromptColumn.Length == 0 ? null : TextColumn.Of(reader, _config.PromptColumn);
        foreach (RowBatch batch in reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (asTokens) AddTokens(reader, batch, row, tokens);
                else AddTexts(batch, row, prompt, texts, labelled);
            }
        }
    }

    private void AddTokens(DataReader reader, RowBatch batch, int row, int[] columns)
    {
        int[]?[] tokens = [.. columns.Select(c => Tokens(reader, batch, c, row))];
        if (tokens.Any(t => t is null || t.Length == 0)) Drop("a list of tokens is null or empty");
        else if (tokens[1].AsSpan().SequenceEqual(tokens[2])) Drop("chosen and rejected are equal");
        else Add(tokens[0]!, [tokens[1]!, tokens[2]!], [true, false], batch.FirstRow + row);
    }

    private void AddTexts(RowBatch batch, int row, TextColumn? promptColumn, TextColumn[] columns, bool labelled)
    {
        string?[] texts = [.. columns.Select(c => c.Get(batch, row))];
        string? prompt = promptColumn is null ? "" : promptColumn.Get(batch, row);
        if (prompt is null || texts.Any(t => t is null))
        {
            Drop("a column is null");
            return;
        }

        bool good = false;
        if (labelled && !TryThumb(texts[1]!, out good)) Drop("the label is no thumb (true/false, 1/0, 1/-1, up/down)");
        else if (texts[0]!.Length == 0 || (!labelled && texts[1]!.Length == 0)) Drop("an empty response");
        else if (!labelled && texts[0] == texts[1]) Drop("chosen and rejected are equal");
        else
        {
            string[] responses = labelled ? [texts[0]!] : [texts[0]!, texts[1]!];
            int[] head = _tokenizer.EncodePrompt(TextRows.Replaced(prompt, _config.Replace));
            Add(
                head, [.. responses.Select(t => (int[])[.. _tokenizer.Encode(TextRows.Replaced(t, _config.Replace)), .. _tokenizer.EosIds.Take(1)])], labelled ? [good] : [true, false],
                batch.FirstRow + row);
        }
    }

    private void Add(int[] prompt, int[][] responses, bool[] desirable, long row)
    {
        if (prompt.Length == 0 || prompt.Length >= _config.MaxLength)
        {
            Drop("an empty prompt, or one that leaves no room below max_length");
            return;
        }

        string key = string.Join(' ', prompt);
        if (!_prompts.TryGetValue(key, out int number)) _prompts.Add(key, number = _prompts.Count);
        // Without prompts every row is its own: neighbours are held out together, as elsewhere.
        bool held = prompt.Length > 1
            ? AddressedRandom.Uniform(_config.Seed ^ AddressedRandom.Key(key), AddressedRandom.Stream.Data, 0x401D) < _config.HeldOutFraction
            : Optimization.HoldOut.Contains(row, _config.HeldOutFraction, _config.Seed);
        TrainingSequence[] sequences = [.. responses.Select(r => Sequence(prompt, r))];
        (held ? HeldOut : Training).Add(new PreferenceExample(sequences, desirable, number, row));
    }

    private TrainingSequence Sequence(int[] prompt, int[] response)
    {
        int[] all = [.. prompt, .. response];
        return new TrainingSequence(all.AsMemory(0, Math.Min(all.Length, _config.MaxLength)), prompt.Length);
    }

    private void Drop(string reason) => _dropped[reason] = _dropped.GetValueOrDefault(reason) + 1;

    /// <summary>Each example's prompt with the response of the next example of another prompt, in data order.</summary>
    private static void Partner(List<PreferenceExample> examples, int maxLength, string what)
    {
        int count = examples.Count, partner = -1;
        bool alone = false;
        // Backwards, and the last examples once more beforehand: what comes after them begins anew.
        for (int i = (2 * count) - 1; i >= 0; i--)
        {
            int at = i % count, after = (at + 1) % count;
            if (examples[after].Prompt != examples[at].Prompt) partner = after;
            if (i >= count) continue;
            // Without prompts (BOS alone) all are alike; the next response will do.
            int other = examples[at].Responses[0].ResponseStart > 1 || count == 1 ? partner : after;
            if (other < 0) alone = true;
            else examples[at].Mismatched = Mismatch(examples[at].Responses[0], examples[other].Responses[0], maxLength);
        }

        if (!alone) return;
        Log.Warning($"KTO: the {count:N0} preferences {what} have a single prompt, so none has a response of another prompt to go with it: z, the KL to the reference that rewards are held against, "
            + "stays 0. A policy that moves away from the reference is then not held against its own drift; use data with more prompts.");
    }

    private static TrainingSequence Mismatch(TrainingSequence own, TrainingSequence partner, int maxLength)
    {
        int[] all = [.. own.Tokens.Span[..own.ResponseStart], .. partner.Tokens.Span[partner.ResponseStart..]];
        return new TrainingSequence(all.AsMemory(0, Math.Min(all.Length, maxLength)), own.ResponseStart);
    }

    private static int[]? Tokens(DataReader reader, RowBatch batch, int column, int row) => reader.Columns[column].Type switch
    {
        ColumnType.Int32List => batch.GetInt32List(column, row),
        ColumnType.Int64List => batch.GetInt64List(column, row)?.Select(t => checked((int)t)).ToArray(),
        _ => throw new BadDataException($"{reader.Name}: the column '{reader.Columns[column].Name}' is {reader.Columns[column].SqlType}; expected a list of token ids."),
    };

    /// <summary>Whether a label is a thumb, and which.</summary>
    public static bool TryThumb(string text, out bool up)
    {
        up = text.ToLowerInvariant() is "true" or "1" or "1.0" or "up" or "good";
        return up || text.ToLowerInvariant() is "false" or "0" or "0.0" or "-1" or "-1.0" or "down" or "bad";
    }
}

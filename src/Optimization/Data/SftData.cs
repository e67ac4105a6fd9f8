using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Training and held-out sequences of supervised fine-tuning: packed texts, or prompts with completions.</summary>
public sealed class SftData
{
    private const uint OrderSalt = 0x5F7;

    private readonly PackedCorpus? _packed;
    private readonly List<TrainingSequence> _training = [];
    private readonly List<TrainingSequence> _heldOut = [];
    private readonly EpochOrder? _order;

    private SftData(SftConfig config, Tokenizer tokenizer, CancellationToken cancellation)
    {
        bool completions = config.PromptColumn.Length > 0;
        if (completions != config.CompletionColumn.Length > 0)
        {
            throw new ConfigurationException($"prompt_column is '{config.PromptColumn}' and completion_column is '{config.CompletionColumn}'; give both, or neither to train on text_column.");
        }

        string[] columns = completions ? [config.PromptColumn, config.CompletionColumn] : [config.TextColumn];
        var training = new List<int>();
        int skipped = 0;
        foreach (TextRows.Row row in TextRows.Read(config.Data, columns, config.Replace))
        {
            cancellation.ThrowIfCancellationRequested();
            bool held = HoldOut.Contains(row.Number, config.HeldOutFraction, config.Seed);
            if (row.Texts.Any(t => t is null) || row.Texts[^1]!.Length == 0)
            {
                skipped++;
            }
            else if (completions)
            {
                int[] prompt = tokenizer.EncodePrompt(row.Texts[0]!), completion = [.. tokenizer.Encode(row.Texts[1]!), .. tokenizer.EosIds.Take(1)];
                if (prompt.Length == 0 || prompt.Length >= config.SequenceLength) skipped++;
                else
                {
                    int[] all = [.. prompt, .. completion];
                    (held ? _heldOut : _training).Add(new TrainingSequence(all.AsMemory(0, Math.Min(all.Length, config.SequenceLength + 1)), prompt.Length) { Row = row.Number });
                }
            }
            else if (held)
            {
                int[] document = Document(row.Texts[0]!, tokenizer);
                for (int start = 0; start + 1 < document.Length; start += config.SequenceLength)
                {
                    _heldOut.Add(new TrainingSequence(document.AsMemory(start, Math.Min(config.SequenceLength + 1, document.Length - start)), 1));
                }
            }
            else
            {
                training.AddRange(Document(row.Texts[0]!, tokenizer));
            }
        }

        if (skipped > 0) Console.WriteLine($"left out {skipped:N0} rows: empty text, or a prompt longer than sequence_length");
        if (!completions)
        {
            _packed = new PackedCorpus([.. training], config.SequenceLength, config.Seed);
            TrainingTokens = training.Count;
        }
        else
        {
            TrainingTokens = _training.Sum(s => (long)s.ResponseLength);
            _order = new EpochOrder(_training.Count, config.Seed, OrderSalt);
        }

        Sequences = _packed?.SequencesPerEpoch ?? _training.Count;
        HeldOutTokens = _heldOut.Sum(s => (long)s.ResponseLength);
        if (Sequences == 0) throw new BadDataException($"{string.Join(", ", config.Data)}: too little text for one sequence of {config.SequenceLength} tokens. Lower sequence_length or add data.");
    }

    /// <summary>Sequences that are tokens already: prompts with responses.</summary>
    /// <param name="training">At least one.</param>
    /// <param name="heldOut">May be empty.</param>
    /// <param name="seed">Of the order.</param>
    public SftData(IReadOnlyList<TrainingSequence> training, IReadOnlyList<TrainingSequence> heldOut, ulong seed)
    {
        if (training.Count == 0) throw new BadDataException("No sequence is left to train on.");
        (_training, _heldOut, _order) = ([.. training], [.. heldOut], new EpochOrder(training.Count, seed, OrderSalt));
        Sequences = training.Count;
        TrainingTokens = training.Sum(s => (long)s.ResponseLength);
        HeldOutTokens = heldOut.Sum(s => (long)s.ResponseLength);
    }

    /// <summary>Sequences of one epoch.</summary>
    public int Sequences { get; }

    public long TrainingTokens { get; }

    public long HeldOutTokens { get; }

    public static SftData Load(SftConfig config, Tokenizer tokenizer, CancellationToken cancellation) => new(config, tokenizer, cancellation);

    /// <summary>The sequences of a step; a pure function of the step.</summary>
    public TrainingSequence[] Batch(long step, int size) => [.. Enumerable.Range(0, size).Select(i => Sequence((step * size) + i))];

    /// <summary>Held-out sequences up to a number of tokens, in file order.</summary>
    public IEnumerable<TrainingSequence> HeldOut(int tokens)
    {
        long sum = 0;
        return _heldOut.TakeWhile(s => (sum += s.ResponseLength) <= tokens || sum == s.ResponseLength);
    }

    private TrainingSequence Sequence(long n) => _packed is not null ? _packed.Sequence(n) : _training[_order![n]];

    /// <summary>A text as the model sees it: BOS where the tokenizer has one, the text, EOS.</summary>
    internal static int[] Document(string text, Tokenizer tokenizer) => [.. tokenizer.EncodePrompt(text), .. tokenizer.EosIds.Take(1)];
}

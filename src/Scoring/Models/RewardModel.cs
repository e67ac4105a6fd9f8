using System.Buffers;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Scoring;

/// <summary>
/// A reward model on ONNX Runtime: texts in, one number each out. It has its own tokenizer, which need not be the policy's. Batches may be
/// scored from several threads at once. What texts have in common at their beginning is computed once.
/// </summary>
public sealed class RewardModel : IDisposable
{
    private readonly InferenceSession? _plain; // model.onnx, where the folder has no graph with a cache
    private readonly CachedGraph? _cached;
    private readonly bool _isMean, _givesTokens;
    private readonly Tokenizer _tokenizer;
    private readonly RunOptions _run = new();
    private long _computed, _padded;

    /// <param name="folder">ONNX folder with <c>rlhf_config.json</c>.</param>
    /// <param name="threads">Threads inside one batch; 0: all cores. 1 where batches run side by side.</param>
    /// <param name="maxLength">Longest text in tokens, at most the model's positions; longer ones keep BOS and their end. 0: as in the model's training.</param>
    /// <param name="use">Which of the folder's graphs.</param>
    public RewardModel(string folder, int threads = 0, int maxLength = 0, RewardModelUse use = RewardModelUse.Scores)
    {
        Folder = folder;
        if (!Directory.Exists(folder)) throw new BadModelException($"{folder}: there is no such model folder.");
        string config = Path.Combine(folder, "rlhf_config.json");
        if (!File.Exists(config)) throw new BadModelException($"{config}: file not found. A reward model is exported by 'rlhf-optimize reward-model' or './rlhf export'; a policy folder is none.");
        int positions, trained;
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config));
            positions = document.RootElement.GetProperty("max_length").GetInt32();
            VocabularySize = document.RootElement.GetProperty("vocab_size").GetInt32();
            if (VocabularySize < 1) throw new FormatException($"vocab_size is {VocabularySize}; it must be positive");
            if (positions < 1) throw new FormatException($"max_length is {positions}; it must be positive");
            trained = document.RootElement.TryGetProperty("trained_length", out JsonElement length) ? length.GetInt32() : positions;
            if (trained < 1 || trained > positions) throw new FormatException($"trained_length is {trained}; it must be from 1 to max_length ({positions})");
            string pooling = document.RootElement.TryGetProperty("pooling", out JsonElement named) ? named.GetString() ?? "" : "last";
            _isMean = pooling == "mean";
            if (pooling is not ("last" or "mean")) throw new FormatException($"pooling is '{pooling}'; it must be last or mean");
            Temperature = document.RootElement.TryGetProperty("temperature", out JsonElement t) ? t.GetDouble() : 1;
            if (!(Temperature > 0 && double.IsFinite(Temperature))) throw new FormatException($"temperature is {Temperature}; it must be a finite number above 0");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{config}: not a reward model's configuration ({e.Message}).", e);
        }

        MaxLength = maxLength > 0 ? Math.Min(maxLength, positions) : trained;
        _tokenizer = Tokenizer.Open(folder);
        _givesTokens = use == RewardModelUse.TokenScores || _isMean;
        try
        {
            if (use != RewardModelUse.PlainGraph) _cached = CachedGraph.Open(folder, _givesTokens ? TokensGraph : "reward_cached.onnx", threads);
            if (_cached is not null) return;
            if (use == RewardModelUse.TokenScores) throw new BadModelException($"{Path.Combine(folder, TokensGraph)}: file not found; rewards for each token need it. Export the model again with './rlhf export'.");
            _plain = OnnxSession.Open(folder, "model.onnx", threads, byItself: use == RewardModelUse.PlainGraph);
        }
        catch
        {
            _tokenizer.Dispose();
            throw;
        }
    }

    private const string TokensGraph = "token_rewards.onnx";

    /// <summary>Tokens computed so far, padding included.</summary>
    public long TokensComputed => Interlocked.Read(ref _computed);

    /// <summary>Of them those that only filled rows up to the longest of their batch.</summary>
    public long TokensPadded => Interlocked.Read(ref _padded);

    public string Folder { get; }

    /// <summary>Tokens of the longest text that is read whole.</summary>
    public int MaxLength { get; }

    internal Tokenizer Tokenizer => _tokenizer;

    /// <summary>Rows of the model's embedding: ids are 0 to one less.</summary>
    public int VocabularySize { get; }

    /// <summary>T of σ(reward / T) that was calibrated on held-out data; 1 where nobody did.</summary>
    public double Temperature { get; }

    /// <summary>Scores texts of any number, batched by length and side by side.</summary>
    /// <param name="tokens">Encoded texts.</param>
    /// <param name="threads">0: all cores. The model should have been opened with one thread.</param>
    /// <param name="batchTokens">Most tokens of a batch.</param>
    /// <param name="cancellation">Honoured between batches.</param>
    /// <param name="share">False: common beginnings are computed for each text again.</param>
    /// <param name="name">Names a text, for messages.</param>
    /// <exception cref="NumericalException">A score is not finite.</exception>
    public double[] ScoreAll(IReadOnlyList<int[]> tokens, int threads, int batchTokens, CancellationToken cancellation, bool share = true, Func<int, string>? name = null)
    {
        int[] lengths = [.. tokens.Select(t => t.Length)];
        double[] scores = new double[lengths.Length];
        int workers = BatchWorkers.Count(threads);
        if (_cached is null)
            BatchWorkers.Run(TokenBudget.Cut(lengths, BatchWorkers.Budget(lengths, batchTokens, workers)), workers, batch => Score(tokens, batch, scores, name), cancellation);
        else
            ReadAll(tokens, lengths, Reader(lengths, scores, null, name), batchTokens, workers, share, cancellation);
        return scores;
    }

    /// <summary>Scores texts and each of their tokens, for a model opened for <see cref="RewardModelUse.TokenScores"/>. Parameters as for <see cref="ScoreAll"/>.</summary>
    /// <returns>[texts] scores, and [texts][tokens] what the reward would be if the text ended with the token (or, where tokens are averaged, its part).</returns>
    public (double[] Scores, float[][] Tokens) TokenScoresAll(IReadOnlyList<int[]> tokens, int threads, int batchTokens, CancellationToken cancellation, Func<int, string>? name = null)
    {
        if (_cached is null || !_givesTokens) throw new InvalidOperationException("The model was not opened for token scores.");
        int[] lengths = [.. tokens.Select(t => t.Length)];
        double[] scores = new double[lengths.Length];
        float[]?[] perToken = new float[lengths.Length][];
        ReadAll(tokens, lengths, Reader(lengths, scores, perToken, name), batchTokens, BatchWorkers.Count(threads), share: true, cancellation);
        return (scores, [.. perToken.Select(p => p!)]);
    }

    private IPartReader Reader(int[] lengths, double[] scores, float[]?[]? perToken, Func<int, string>? name) =>
        _givesTokens ? new TokenScores((v, i) => NotFinite(v, i, name), lengths, _isMean, scores, perToken) : new LastScores((v, i) => NotFinite(v, i, name), lengths, scores);

    private void ReadAll(IReadOnlyList<int[]> tokens, int[] lengths, IPartReader reader, int batchTokens, int workers, bool share, CancellationToken cancellation)
    {
        // Every text keeps an end of its own, even where it is the beginning of another.
        List<WorkItem> items = WorkPlan.Make(tokens, lengths, [.. lengths.Select(l => l - 1)], batchTokens, workers, share);
        BatchWorkers.Run(items, workers, item => Read(tokens, lengths, item, reader), cancellation);
    }

    private void Read(IReadOnlyList<int[]> tokens, int[] lengths, WorkItem item, IPartReader reader)
    {
        Interlocked.Add(ref _computed, _cached!.Read(tokens, lengths, item, reader));
        Interlocked.Add(ref _padded, item.Padding(lengths));
    }

    private NumericalException NotFinite(float value, int text, Func<int, string>? name) =>
        new($"{name?.Invoke(text) ?? $"text {text + 1}"}: the reward model in {Folder} gave {value}; expected a finite number. Its weights are broken: export it again, or use an older one.");

    /// <summary>Tokens of another length limit than the model's own: BOS and the end of the text.</summary>
    public static int[] Cut(int[] tokens, int length)
    {
        if (tokens.Length <= length) return tokens;
        int[] cut = new int[length];
        cut[0] = tokens[0];
        tokens.AsSpan(tokens.Length - length + 1).CopyTo(cut.AsSpan(1));
        return cut;
    }

    /// <inheritdoc cref="Encode(string, RowPlace)"/>
    public int[] Encode(string text) => Encode(text, default);

    /// <summary>The text as the model reads it: BOS where the tokenizer has one, at most <see cref="MaxLength"/> tokens.</summary>
    /// <param name="text">Prompt and response, or what the model judges.</param>
    /// <param name="row">Whose it is, for messages.</param>
    /// <exception cref="BadDataException">The text has no token.</exception>
    public int[] Encode(string text, RowPlace row)
    {
        int[] tokens = _tokenizer.EncodePrompt(text);
        if (tokens.Length == 0) throw new BadDataException($"{row}: the text '{Excerpt.Of(text)}' has no token for the reward model in {Folder}; expected at least one. Leave the row out, or use a model whose tokenizer begins texts with BOS.");
        return Cut(tokens, MaxLength);
    }

    /// <summary>Scores one batch.</summary>
    /// <param name="tokens">Encoded texts.</param>
    /// <param name="rows">Which of them form the batch.</param>
    /// <param name="scores">Written at the rows' indices.</param>
    /// <param name="name">Names a text, for messages.</param>
    public void Score(IReadOnlyList<int[]> tokens, ReadOnlySpan<int> rows, double[] scores, Func<int, string>? name = null)
    {
        int time = 0;
        foreach (int r in rows) time = Math.Max(time, tokens[r].Length);
        if (_cached is not null)
        {
            int[] all = [.. tokens.Select(t => t.Length)];
            foreach (int r in rows) scores[r] = 0;
            Read(tokens, all, new WorkItem(0, rows.ToArray(), (long)rows.Length * time), Reader(all, scores, null, name));
            return;
        }

        Interlocked.Add(ref _computed, (long)rows.Length * time);
        long[] ids = ArrayPool<long>.Shared.Rent(rows.Length * time);
        int[] lengths = new int[rows.Length];
        long real = 0;
        try
        {
            for (int i = 0; i < rows.Length; i++)
            {
                int[] text = tokens[rows[i]];
                lengths[i] = text.Length;
                real += text.Length;
                Span<long> row = ids.AsSpan(i * time, time);
                for (int t = 0; t < text.Length; t++) row[t] = text[t];
                row[text.Length..].Clear();
            }

            Interlocked.Add(ref _padded, ((long)rows.Length * time) - real);
            using OrtValue input = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, ids.AsMemory(0, rows.Length * time), [rows.Length, time]);
            using OrtValue length = OrtValue.CreateTensorValueFromMemory(lengths, [rows.Length]);
            using IDisposableReadOnlyCollection<OrtValue> outputs = OnnxSession.Run(
                Folder, () => _plain!.Run(_run, ["input_ids", "lengths"], [input, length], ["scores"]));
            ReadOnlySpan<float> values = outputs[0].GetTensorDataAsSpan<float>();
            for (int i = 0; i < rows.Length; i++)
            {
                if (!float.IsFinite(values[i])) throw NotFinite(values[i], rows[i], name);
                scores[rows[i]] = values[i];
            }
        }
        finally
        {
            ArrayPool<long>.Shared.Return(ids);
        }
    }

    public void Dispose()
    {
        _run.Dispose();
        _plain?.Dispose();
        _cached?.Dispose();
        _tokenizer.Dispose();
    }
}

using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// Log-probs of given responses under a policy folder (the reference): <c>scorer_cached.onnx</c> (or <c>scorer.onnx</c>) takes log-softmax in chunks of rows, so no
/// [tokens, vocabulary] array exists. Batches may be scored from several threads at once.
/// </summary>
public sealed class LogProbScorer : IDisposable
{
    private readonly InferenceSession? _plain; // scorer.onnx, where the folder has no graph with a cache
    private readonly CachedGraph? _cached;
    private readonly RunOptions _run = new();
    private long _scored, _computed, _padded;

    /// <param name="folder">Policy folder with <c>scorer_cached.onnx</c>, or of an older export with <c>scorer.onnx</c>.</param>
    /// <param name="threads">Threads inside one batch; 0: all cores. 1 where batches run side by side.</param>
    public LogProbScorer(string folder, int threads = 0)
    {
        Folder = folder;
        if (!Directory.Exists(folder)) throw new BadModelException($"{folder}: there is no such model folder.");
        (MaxLength, VocabularySize) = Description(Path.Combine(folder, "genai_config.json"));
        _cached = CachedGraph.Open(folder, "scorer_cached.onnx", threads);
        if (_cached is null) _plain = OnnxSession.Open(folder, "scorer.onnx", threads);
    }

    public string Folder { get; }

    /// <summary>Most tokens of a sequence, from genai_config.json.</summary>
    public int MaxLength { get; }

    /// <summary>Rows of the model's embedding, from genai_config.json: ids are 0 to one less.</summary>
    public int VocabularySize { get; }

    /// <summary>Real tokens read so far.</summary>
    public long TokensScored => Interlocked.Read(ref _scored);

    /// <summary>Tokens computed so far, padding included and shared prompts once.</summary>
    public long TokensComputed => Interlocked.Read(ref _computed);

    /// <summary>Of them those that only filled rows up to the longest of their batch.</summary>
    public long TokensPadded => Interlocked.Read(ref _padded);

    /// <summary>Scores rows of any number, batched by length and side by side; a prompt that several responses share is computed once.</summary>
    /// <param name="sequences">(prompt tokens, response tokens) of all rows of the window; no response is empty.</param>
    /// <param name="rows">Which of them.</param>
    /// <param name="temperature">Log-probs are of softmax(logits / temperature).</param>
    /// <param name="logProbs">Written at the rows' indices: [responseLength] nats each.</param>
    /// <param name="threads">0: all cores. The scorer should have been opened with one thread.</param>
    /// <param name="batchTokens">Most tokens of a batch.</param>
    /// <param name="cancellation">Honoured between batches.</param>
    /// <param name="share">False: prompts are computed for each response again.</param>
    public void ScoreAll(
        IReadOnlyList<(int[] Prompt, int[] Response)> sequences, IReadOnlyList<int> rows, double temperature, float[][] logProbs, int threads, int batchTokens,
        CancellationToken cancellation, bool share = true)
    {
        int workers = BatchWorkers.Count(threads);
        if (_cached is null)
        {
            int[] own = [.. rows.Select(r => sequences[r].Prompt.Length + sequences[r].Response.Length)];
            List<int[]> batches = TokenBudget.Cut(own, BatchWorkers.Budget(own, batchTokens, workers));
            BatchWorkers.Run(batches, workers, batch => Score(sequences, [.. batch.Select(i => rows[i])], temperature, logProbs), cancellation);
            return;
        }

        (int[][] tokens, int[] prompts, int[] lengths) = Whole(sequences, rows);
        float[][] own2 = new float[rows.Count][];
        var reader = new LogProbReader(Folder, tokens, prompts, lengths, (float)temperature, own2);
        // The logits of a prompt's last token are each response's own.
        List<WorkItem> items = WorkPlan.Make(tokens, lengths, [.. prompts.Select(p => p - 1)], batchTokens, workers, share);
        Interlocked.Add(ref _scored, lengths.Sum(l => (long)l));
        BatchWorkers.Run(items, workers, item => Read(tokens, lengths, item, reader), cancellation);
        for (int i = 0; i < rows.Count; i++) logProbs[rows[i]] = own2[i];
    }

    private void Read(int[][] tokens, int[] lengths, WorkItem item, IPartReader reader)
    {
        Interlocked.Add(ref _computed, _cached!.Read(tokens, lengths, item, reader));
        Interlocked.Add(ref _padded, item.Padding(lengths));
    }

    // Prompt and response in one array; the last token is predicted, never read.
    private static (int[][] Tokens, int[] Prompts, int[] Lengths) Whole(IReadOnlyList<(int[] Prompt, int[] Response)> sequences, IReadOnlyList<int> rows)
    {
        int[][] tokens = [.. rows.Select(r => (int[])[.. sequences[r].Prompt, .. sequences[r].Response])];
        return (tokens, [.. rows.Select(r => sequences[r].Prompt.Length)], [.. tokens.Select(t => t.Length - 1)]);
    }

    /// <summary>Scores one batch of prompt + response.</summary>
    /// <param name="sequences">(prompt tokens, response tokens) of all rows of the window.</param>
    /// <param name="rows">Which of them form the batch.</param>
    /// <param name="temperature">Log-probs are of softmax(logits / temperature).</param>
    /// <param name="logProbs">Written at the rows' indices: [responseLength] nats each.</param>
    public void Score(IReadOnlyList<(int[] Prompt, int[] Response)> sequences, ReadOnlySpan<int> rows, double temperature, float[][] logProbs)
    {
        if (_cached is not null)
        {
            (int[][] whole, int[] prompts, int[] ends) = Whole(sequences, rows.ToArray());
            float[][] found = new float[ends.Length][];
            var reader = new LogProbReader(Folder, whole, prompts, ends, (float)temperature, found);
            Interlocked.Add(ref _scored, ends.Sum(l => (long)l));
            Read(whole, ends, new WorkItem(0, [.. Enumerable.Range(0, ends.Length)], 0), reader);
            for (int i = 0; i < ends.Length; i++) logProbs[rows[i]] = found[i];
            return;
        }

        int time = 0, tokens = 0, real = 0;
        foreach (int r in rows)
        {
            (int[] prompt, int[] response) = sequences[r];
            time = Math.Max(time, prompt.Length + response.Length - 1); // the last token is predicted, never read
            tokens += response.Length;
            real += prompt.Length + response.Length - 1;
        }

        Interlocked.Add(ref _scored, real);
        Interlocked.Add(ref _computed, (long)rows.Length * time);
        Interlocked.Add(ref _padded, ((long)rows.Length * time) - real);
        long[] ids = new long[rows.Length * time], positions = new long[tokens], targets = new long[tokens];
        int[] lengths = new int[rows.Length];
        int at = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            (int[] prompt, int[] response) = sequences[rows[i]];
            lengths[i] = prompt.Length + response.Length - 1;
            for (int t = 0; t < prompt.Length; t++) ids[(i * time) + t] = prompt[t];
            for (int t = 0; t < response.Length; t++)
            {
                if (t < response.Length - 1) ids[(i * time) + prompt.Length + t] = response[t];
                positions[at] = (i * time) + prompt.Length + t - 1;
                targets[at++] = response[t];
            }
        }

        using OrtValue input = OrtValue.CreateTensorValueFromMemory(ids, [rows.Length, time]);
        using OrtValue length = OrtValue.CreateTensorValueFromMemory(lengths, [rows.Length]);
        using OrtValue row = OrtValue.CreateTensorValueFromMemory(positions, [tokens]);
        using OrtValue target = OrtValue.CreateTensorValueFromMemory(targets, [tokens]);
        using OrtValue heat = OrtValue.CreateTensorValueFromMemory(new[] { (float)temperature }, []);
        using IDisposableReadOnlyCollection<OrtValue> outputs = OnnxSession.Run(
            Folder, () => _plain!.Run(_run, ["input_ids", "lengths", "rows", "targets", "temperature"], [input, length, row, target, heat], ["logprobs"]));
        ReadOnlySpan<float> values = outputs[0].GetTensorDataAsSpan<float>();
        at = 0;
        foreach (int r in rows)
        {
            int count = sequences[r].Response.Length;
            float[] own = values.Slice(at, count).ToArray();
            ThrowIfNotFinite(own, Folder);

            logProbs[r] = own;
            at += count;
        }
    }

    internal static void ThrowIfNotFinite(ReadOnlySpan<float> logProbs, string folder)
    {
        foreach (float p in logProbs)
        {
            if (!float.IsFinite(p)) throw new NumericalException($"The model in {folder} gave a log-prob of {p}; its weights are broken.");
        }
    }

    private static (int ContextLength, int VocabularySize) Description(string config)
    {
        if (!File.Exists(config)) throw new BadModelException($"{config}: file not found. A policy's ONNX folder comes from './rlhf export --model DIR --out DIR'; a reward model is none.");
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config));
            JsonElement model = document.RootElement.GetProperty("model");
            return (Size(model, "context_length"), Size(model, "vocab_size"));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadModelException($"{config}: not a policy's configuration ({e.Message}).", e);
        }
    }

    private static int Size(JsonElement model, string key)
    {
        if (!model.TryGetProperty(key, out JsonElement size)) throw new FormatException($"model.{key} is missing");
        return size.ValueKind == JsonValueKind.Number && size.TryGetInt32(out int value) && value > 0 ? value : throw new FormatException($"model.{key} is {Excerpt.Of(size.GetRawText())}; it must be a positive whole number");
    }

    public void Dispose()
    {
        _run.Dispose();
        _plain?.Dispose();
        _cached?.Dispose();
    }
}

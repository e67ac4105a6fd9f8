using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// Scoring measured: the path of <c>rlhf-score</c> from file to file, beside inference alone on texts of equal length (read as scoring reads them, and
/// in full batches) and on fixed batches of 32 in file order padded to the longest. All take turns on parts of the rows.
/// </summary>
public static class BenchScoring
{
    private const int FixedRows = 32;
    private const double Megabyte = 1048576;

    /// <exception cref="BadModelException">A model folder is missing or broken.</exception>
    public static ScoringBenchResult Run(ScoringBenchOptions options, Action<string>? told = null, CancellationToken cancellation = default)
    {
        told ??= _ => { };
        string root = Directory.CreateTempSubdirectory("rlhf-bench-").FullName;
        try
        {
            string model = Onnx(options.Model, Path.Combine(root, "reward"));
            int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
            // First, while nothing else lies in memory.
            StreamBenchResult? stream = options.StreamRows == 0 ? null : BenchStream.Run(options.StreamRows, options.StreamWithModel ? model : "", options.MaxLength, options.Threads, root, told, cancellation);
            using RewardModel side = new(model, threads: 1, options.MaxLength);
            (List<string> texts, bool real) = BenchTexts.Read(options, model, side.MaxLength);
            told($"encoding {texts.Count} texts for the baselines");
            int[][] tokens = [.. texts.Select(side.Encode)];
            long total = tokens.Sum(t => (long)t.Length);
            int mean = (int)Math.Round(total / (double)tokens.Length);
            int[] histogram = new int[16];
            foreach (int[] t in tokens) histogram[Math.Min(15, (t.Length - 1) * 16 / side.MaxLength)]++;

            using ScoringStage stage = new([new RewardSourceConfig { Name = "reward", Model = model, MaxLength = options.MaxLength }], "", options.Threads);
            Watch scoring = new(), equal = new(), full = new(), ordered = new(), orderedPlain = new();
            double before = 0, peak = 0, growth = 0;
            int[][] slices = [.. Enumerable.Range(0, tokens.Length).Chunk((tokens.Length + options.Slices - 1) / options.Slices)];
            for (int s = 0; s < slices.Length; s++)
            {
                cancellation.ThrowIfCancellationRequested();
                told($"part {s + 1} of {slices.Length}");
                string input = WriteTexts(Path.Combine(root, "in.parquet"), slices[s].Select(i => texts[i]));
                ResidentMemory.ResetPeak();
                double now = ResidentMemory.NowMegabytes();
                long read = stage.TokensScored;
                scoring.Time(() =>
                {
                    stage.Run(new ScoringJob { Input = input, Output = Path.Combine(root, "out.parquet"), BatchTokens = options.BatchTokens }, null, cancellation);
                    return stage.TokensScored - read;
                });
                growth = Math.Max(growth, ResidentMemory.PeakMegabytes() - now);
                if (s == 0) (before, peak) = (now, ResidentMemory.PeakMegabytes()); // the other ways of scoring have held nothing yet
                int[][] own = [.. slices[s].Select(i => tokens[i])];
                equal.Time(() => EqualLengths(side, own, mean, options.BatchTokens, threads, cancellation));
                full.Time(() => FullBatches(side, own, mean, options.BatchTokens, threads, cancellation));
                FixedBatches(model, threads, options.MaxLength, RewardModelUse.Scores, own, ordered);
                FixedBatches(model, threads, options.MaxLength, RewardModelUse.PlainGraph, own, orderedPlain);
                told(string.Create(CultureInfo.InvariantCulture, $"so far in tokens a second of processor time: scoring {scoring.ProcessorRate:N0}, equal lengths {equal.ProcessorRate:N0}, in full batches {full.ProcessorRate:N0}, fixed batches {ordered.ProcessorRate:N0}, of the plain graph {orderedPlain.ProcessorRate:N0}"));
            }

            return new ScoringBenchResult
            {
                Processor = Machine.Processor,
                Threads = threads,
                BatchTokens = options.BatchTokens,
                RealTexts = real,
                Rows = texts.Count,
                Tokens = total,
                MeanLength = total / (double)texts.Count,
                LengthHistogram = histogram,
                TokensPerSecond = scoring.Rate,
                RowsPerSecond = texts.Count / scoring.Seconds,
                PaddingShare = stage.TokensPadded / (double)stage.TokensComputed,
                EqualLengthTokensPerSecond = equal.Rate,
                FullBatchTokensPerSecond = full.Rate,
                FixedBatchTokensPerSecond = ordered.Rate,
                ShareOfEqualLength = scoring.Rate / Math.Max(equal.Rate, full.Rate),
                RatioToFixedBatches = scoring.Rate / ordered.Rate,
                PlainFixedBatchTokensPerSecond = orderedPlain.Rate,
                RatioToPlainFixedBatches = scoring.Rate / orderedPlain.Rate,
                MegabytesBefore = before,
                PeakMegabytes = peak,
                GrowthMegabytes = growth,
                Reference = options.Reference.Length == 0 ? null : Reference(options, tokens, threads, root, told, cancellation),
                Shared = options.SharedPrompts == 0 ? null : BenchShared.Run(options, side, threads, root, told, cancellation),
                Stream = stream,
            };
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    // Texts of one length, as the product reads its own.
    private static long EqualLengths(RewardModel model, int[][] rows, int length, int batchTokens, int workers, CancellationToken cancellation)
    {
        int[][] cut = Cut(rows, length);
        model.ScoreAll(cut, workers, batchTokens, cancellation, share: false);
        return (long)cut.Length * length;
    }

    // The same texts in batches that are as full as they may be, whatever their length; the batches run beside each other as the product's do.
    private static long FullBatches(RewardModel model, int[][] rows, int length, int batchTokens, int workers, CancellationToken cancellation)
    {
        int[][] cut = Cut(rows, length);
        double[] scores = new double[cut.Length];
        var batches = Partitioner.Create(Enumerable.Range(0, cut.Length).Chunk(Math.Max(1, batchTokens / length)), EnumerablePartitionerOptions.NoBuffering);
        Parallel.ForEach(batches, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, batch => model.Score(cut, batch, scores));
        return (long)cut.Length * length;
    }

    /// <summary>As many tokens as the rows have, in texts of one length.</summary>
    private static int[][] Cut(int[][] rows, int length)
    {
        int[] stream = [.. rows.SelectMany(r => r)];
        return [.. Enumerable.Range(0, stream.Length / length).Select(i => stream[(i * length)..((i + 1) * length)])];
    }

    // A model of its own, so that the memory of such batches does not lie under the next part's scoring; its first batch is not timed.
    private static void FixedBatches(string folder, int threads, int maxLength, RewardModelUse use, int[][] rows, Watch watch)
    {
        using RewardModel model = new(folder, threads, maxLength, use);
        FixedBatches(model, rows[..Math.Min(rows.Length, FixedRows)]);
        watch.Time(() => FixedBatches(model, rows));
    }

    private static long FixedBatches(RewardModel model, int[][] rows)
    {
        double[] scores = new double[rows.Length];
        foreach (int[] batch in Enumerable.Range(0, rows.Length).Chunk(FixedRows)) model.Score(rows, batch, scores);
        return rows.Sum(r => (long)r.Length);
    }

    private static ReferenceBenchResult Reference(ScoringBenchOptions options, int[][] tokens, int threads, string root, Action<string> told, CancellationToken cancellation)
    {
        told("reference log-probs");
        string policy = Onnx(options.Reference, Path.Combine(root, "policy")), input = Path.Combine(root, "rollouts.parquet");
        int[][] rows = [.. tokens.Where(t => t.Length > 1).Take(options.ReferenceRows)];
        using (DataWriter writer = DataWriter.Create(input, [new("prompt_tokens", ColumnType.Int32List), new("response_tokens", ColumnType.Int32List), new("response", ColumnType.Text)]))
        {
            foreach (int[] row in rows)
            {
                int prompt = Math.Min(16, row.Length / 2);
                writer.Set(0, row.AsSpan(0, prompt));
                writer.Set(1, row.AsSpan(prompt));
                writer.Set(2, "");
                writer.EndRow();
            }

            writer.Complete();
        }

        using ScoringStage stage = new([], policy, options.Threads);
        ResidentMemory.ResetPeak();
        double before = ResidentMemory.NowMegabytes();
        Watch watch = new();
        watch.Time(() =>
        {
            stage.Run(new ScoringJob { Input = input, Output = Path.Combine(root, "scored.parquet"), BatchTokens = options.BatchTokens }, null, cancellation);
            return stage.TokensScored;
        });
        double vocabulary = Models.LlamaConfig.Load(options.Reference).VocabSize;
        return new ReferenceBenchResult(
            rows.Length, stage.TokensScored, watch.Rate, before, ResidentMemory.PeakMegabytes(),
            (double)threads * options.BatchTokens * vocabulary * 4 / Megabyte, stage.TokensScored * vocabulary * 4 / Megabyte);
    }

    internal static string Onnx(string folder, string temporary)
    {
        if (File.Exists(Path.Combine(folder, "model.onnx"))) return folder;
        ModelExport.Folder(folder, temporary);
        return temporary;
    }

    private static string WriteTexts(string path, IEnumerable<string> texts)
    {
        using DataWriter writer = DataWriter.Create(path, [new("response", ColumnType.Text)]);
        foreach (string text in texts)
        {
            writer.Set(0, text);
            writer.EndRow();
        }

        writer.Complete();
        return path;
    }

    /// <summary>Tokens and seconds of one way of scoring, over its turns.</summary>
    private sealed class Watch
    {
        private long _tokens;
        private double _processor;

        public double Seconds { get; private set; }

        public double Rate => _tokens / Seconds;

        /// <summary>Tokens a second of processor time, which other programs on the machine disturb less.</summary>
        public double ProcessorRate => _tokens / _processor;

        public void Time(Func<long> work)
        {
            long start = Stopwatch.GetTimestamp();
            TimeSpan processor = Environment.CpuUsage.TotalTime;
            _tokens += work();
            _processor += (Environment.CpuUsage.TotalTime - processor).TotalSeconds;
            Seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}

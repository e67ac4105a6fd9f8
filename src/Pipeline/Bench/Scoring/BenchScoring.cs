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
            ScoringWatch scoring = new(), equal = new(), full = new(), ordered = new(), orderedPlain = new();
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
                equal.Time(() => ScoringBaselines.EqualLengths(side, own, mean, options.BatchTokens, threads, cancellation));
                full.Time(() => ScoringBaselines.FullBatches(side, own, mean, options.BatchTokens, threads, cancellation));
                ScoringBaselines.FixedBatches(model, threads, options.MaxLength, RewardModelUse.Scores, own, ordered);
                ScoringBaselines.FixedBatches(model, threads, options.MaxLength, RewardModelUse.PlainGraph, own, orderedPlain);
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
                Reference = options.Reference.Length == 0 ? null : BenchReference.Run(options, tokens, threads, root, told, cancellation),
                Shared = options.SharedPrompts == 0 ? null : BenchShared.Run(options, side, threads, root, told, cancellation),
                Stream = stream,
            };
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
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
}

using Rlhf.Core;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>Reference log-probs without a [tokens, vocabulary] array.</summary>
/// <param name="Rows">Texts.</param>
/// <param name="Tokens">Tokens read.</param>
/// <param name="TokensPerSecond">Rate.</param>
/// <param name="MegabytesBefore">Resident memory before.</param>
/// <param name="PeakMegabytes">Highest resident memory.</param>
/// <param name="NaiveBatchMegabytes">What log-probs [tokens, vocabulary] in float32 of the batches computed at one time would add.</param>
/// <param name="NaiveAllMegabytes">The same for all rows at once.</param>
public sealed record ReferenceBenchResult(int Rows, long Tokens, double TokensPerSecond, double MegabytesBefore, double PeakMegabytes, double NaiveBatchMegabytes, double NaiveAllMegabytes);

/// <summary>Measures reference log-probs from file to file.</summary>
internal static class BenchReference
{
    private const double Megabyte = 1048576;

    public static ReferenceBenchResult Run(ScoringBenchOptions options, int[][] tokens, int threads, string root, Action<string> told, CancellationToken cancellation)
    {
        told("reference log-probs");
        string policy = BenchScoring.Onnx(options.Reference, Path.Combine(root, "policy")), input = Path.Combine(root, "rollouts.parquet");
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
        ScoringWatch watch = new();
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
}

using System.Collections.Concurrent;
using Rlhf.Scoring;

namespace Rlhf.Pipeline.Bench;

/// <summary>Inference alone, which scoring from file to file is held against.</summary>
internal static class ScoringBaselines
{
    private const int FixedRows = 32;

    /// <summary>Texts of one length, as the product reads its own.</summary>
    public static long EqualLengths(RewardModel model, int[][] rows, int length, int batchTokens, int workers, CancellationToken cancellation)
    {
        int[][] cut = Cut(rows, length);
        model.ScoreAll(cut, workers, batchTokens, cancellation, share: false);
        return (long)cut.Length * length;
    }

    /// <summary>The same texts in batches that are as full as they may be, whatever their length; the batches run beside each other as the product's do.</summary>
    public static long FullBatches(RewardModel model, int[][] rows, int length, int batchTokens, int workers, CancellationToken cancellation)
    {
        int[][] cut = Cut(rows, length);
        double[] scores = new double[cut.Length];
        var batches = Partitioner.Create(Enumerable.Range(0, cut.Length).Chunk(Math.Max(1, batchTokens / length)), EnumerablePartitionerOptions.NoBuffering);
        Parallel.ForEach(batches, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, batch => model.Score(cut, batch, scores));
        return (long)cut.Length * length;
    }

    /// <summary>Batches of 32 in file order, padded to the longest. The model is opened for them, so that their memory does not lie under the next part's scoring; its first batch is not timed.</summary>
    public static void FixedBatches(string folder, int threads, int maxLength, RewardModelUse use, int[][] rows, ScoringWatch watch)
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

    /// <summary>As many tokens as the rows have, in texts of one length.</summary>
    private static int[][] Cut(int[][] rows, int length)
    {
        int[] stream = [.. rows.SelectMany(r => r)];
        return [.. Enumerable.Range(0, stream.Length / length).Select(i => stream[(i * length)..((i + 1) * length)])];
    }
}

using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Rlhf.Scoring;

/// <summary>
/// Runs batches side by side, each on one thread of its own: small models lose much of a second core when the threads meet at every
/// operator, and nothing when they never meet.
/// </summary>
internal static class BatchWorkers
{
    /// <summary>Fewest tokens that are worth a batch of their own when a window is shared out among workers.</summary>
    private const int SmallestShare = 256;

    /// <summary>Number of workers: the threads asked for, or all cores.</summary>
    public static int Count(int threads) => threads > 0 ? threads : Environment.ProcessorCount;

    /// <summary>The batches' budget, made smaller where one batch would leave workers idle.</summary>
    public static int Budget(ReadOnlySpan<int> lengths, int batchTokens, int workers)
    {
        if (workers == 1) return batchTokens;
        long tokens = 0;
        foreach (int length in lengths) tokens += length;
        return (int)Math.Min(batchTokens, Math.Max(SmallestShare, (tokens + workers - 1) / workers));
    }

    /// <summary>Calls <paramref name="run"/> for each batch, the longest first; the first failure ends it.</summary>
    public static void Run<T>(IReadOnlyList<T> batches, int workers, Action<T> run, CancellationToken cancellation)
    {
        if (workers == 1 || batches.Count == 1)
        {
            foreach (T batch in batches)
            {
                cancellation.ThrowIfCancellationRequested();
                run(batch);
            }

            return;
        }

        try
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation };
            Parallel.ForEach(Partitioner.Create(batches, EnumerablePartitionerOptions.NoBuffering), options, run);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.Flatten().InnerExceptions[0]);
        }
    }
}

using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Rlhf.Scoring;

/// <summary>Makes the next item on another thread while this one is used: reading and tokenising run beside inference.</summary>
internal static class LookAhead
{
    /// <summary>The items of <paramref name="source"/> in order, one of them made ahead. What the source throws comes after the items before it.</summary>
    public static IEnumerable<T> Of<T>(IEnumerable<T> source, CancellationToken cancellation)
    {
        using var queue = new BlockingCollection<T>(1);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Exception? failure = null;
        Task producer = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    foreach (T item in source) queue.Add(item, stop.Token);
                }
                catch (Exception e)
                {
                    failure = e; // thrown where the items are used
                }
                finally
                {
                    queue.CompleteAdding();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            foreach (T item in queue.GetConsumingEnumerable(cancellation)) yield return item;
            producer.Wait(CancellationToken.None);
            if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        }
        finally
        {
            stop.Cancel();
            producer.Wait(CancellationToken.None);
        }
    }
}

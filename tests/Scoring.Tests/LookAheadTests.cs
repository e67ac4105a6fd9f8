using NUnit.Framework;

namespace Rlhf.Scoring.Tests;

/// <summary>Work beside work: order, failures and the end of it.</summary>
public sealed class LookAheadTests
{
    [Test]
    public void ItemsComeInOrderAndAFailureAfterThoseBeforeIt()
    {
        List<int> seen = [];
        InvalidOperationException failure = Assert.Throws<InvalidOperationException>(() =>
        {
            foreach (int i in LookAhead.Of(Source(), default)) seen.Add(i);
        })!;
        Assert.That(seen, Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(failure.Message, Is.EqualTo("broken"));

        static IEnumerable<int> Source()
        {
            for (int i = 0; i < 3; i++) yield return i;
            throw new InvalidOperationException("broken");
        }
    }

    [Test]
    public void OnlyOneItemIsMadeAheadAndNoneAfterTheEnd()
    {
        int made = 0;
        foreach (int i in LookAhead.Of(Source(), default))
        {
            Thread.Sleep(20);
            Assert.That(Volatile.Read(ref made), Is.LessThanOrEqualTo(i + 3), "one in the queue, one in the making");
            if (i == 4) break;
        }

        int after = made;
        Thread.Sleep(50);
        Assert.That(made, Is.EqualTo(after), "the producer ends with its consumer");

        IEnumerable<int> Source()
        {
            while (true) yield return Interlocked.Increment(ref made) - 1;
        }
    }

    [Test]
    public void ACancelledConsumerStops()
    {
        using CancellationTokenSource stop = new();
        Assert.Catch<OperationCanceledException>(() =>
        {
            foreach (int i in LookAhead.Of(Enumerable.Range(0, int.MaxValue), stop.Token))
            {
                if (i == 3) stop.Cancel();
            }
        });
    }

    [Test]
    public void BatchesRunOnceEachAndTheFirstFailureIsTheCallersOwn([Values(1, 4)] int workers)
    {
        int[][] batches = [.. Enumerable.Range(0, 50).Select(i => new[] { i })];
        int[] runs = new int[50];
        BatchWorkers.Run(batches, workers, b => Interlocked.Increment(ref runs[b[0]]), default);
        Assert.That(runs, Has.All.EqualTo(1));
        Assert.Throws<ArithmeticException>(() => BatchWorkers.Run(batches, workers, _ => throw new ArithmeticException(), default));
        using CancellationTokenSource stop = new();
        stop.Cancel();
        Assert.Catch<OperationCanceledException>(() => BatchWorkers.Run(batches, workers, _ => { }, stop.Token));
    }

    // 1000 tokens: two workers share them; below 256 tokens a share is not worth it; one worker takes the whole budget.
    [TestCase(2, 500)]
    [TestCase(8, 256)]
    [TestCase(1, 800)]
    public void TheBudgetLeavesNoWorkerIdle(int workers, int expected) => Assert.That(BatchWorkers.Budget([400, 600], 800, workers), Is.EqualTo(expected));
}

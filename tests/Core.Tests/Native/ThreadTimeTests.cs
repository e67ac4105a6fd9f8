using System.Diagnostics;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class ThreadTimeTests
{
    /// <summary>Of 0.3 s asleep next to nothing counts; of work until the clock of the thread says 0.1 s, at least that passes on the wall.</summary>
    [Test]
    public void WaitingIsNotWork()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) Assert.Ignore("skipped: the system's own clock of threads is asked for on Linux and macOS");
        double before = ThreadTime.ProcessorSeconds;
        Thread.Sleep(300);
        Assert.That(ThreadTime.ProcessorSeconds - before, Is.InRange(0, 0.15));

        long started = Stopwatch.GetTimestamp();
        double start = ThreadTime.ProcessorSeconds, end = start;
        while (end - start < 0.1 && Stopwatch.GetElapsedTime(started).TotalSeconds < 60) end = ThreadTime.ProcessorSeconds;
        Assert.That(end - start, Is.GreaterThanOrEqualTo(0.1).And.LessThanOrEqualTo(Stopwatch.GetElapsedTime(started).TotalSeconds + 0.01));
    }
}

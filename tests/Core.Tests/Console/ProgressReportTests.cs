using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class ProgressReportTests
{
    [Test]
    public void ShortWorkSaysNothing()
    {
        ManualClock clock = new();
        StringWriter text = new();
        using (ProgressReport progress = new("Generating", 100, "tokens", text, isTerminal: true, clock))
        {
            clock.Advance(1.9);
            progress.Advance(100);
        }

        Assert.That(text.ToString(), Is.Empty);
    }

    [Test]
    public void PlainLinesComeEveryFiveSeconds()
    {
        ManualClock clock = new();
        StringWriter text = new() { NewLine = "\n" };
        using (ProgressReport progress = new("Generating", 20_000, "tokens", text, isTerminal: false, clock))
        {
            for (int second = 1; second <= 12; second++)
            {
                clock.Advance(1);
                progress.Advance(1000, second == 11 ? "batch 3" : null);
            }
        }

        Assert.That(text.ToString(), Is.EqualTo(
            """
            Generating: 25%, 5 000/20 000 tokens, 1 000 tokens/s, 15 s left
            Generating: 50%, 10 000/20 000 tokens, 1 000 tokens/s, 10 s left
            Generating: 60%, 12 000/20 000 tokens, 1 000 tokens/s, took 12 s, batch 3

            """));
    }

    [Test]
    public void ATerminalRedrawsOneLine()
    {
        ManualClock clock = new();
        StringWriter text = new() { NewLine = "\n" };
        using (ProgressReport progress = new("Training", 8, "steps", text, isTerminal: true, clock))
        {
            clock.Advance(4);
            progress.Advance(2);
            progress.Advance(2); // within 100 ms of the last: not drawn
            clock.Advance(4);
            progress.Advance(4);
        }

        string[] drawn = text.ToString().Split('\r');
        Assert.That(drawn[1].TrimEnd(), Is.EqualTo("Training ██████░░░░░░░░░░░░░░░░░░  25%, 2/8 steps, 0.50 steps/s, 12 s left"));
        Assert.That(drawn[^1].TrimEnd(), Is.EqualTo("Training ████████████████████████ 100%, 8/8 steps, 1.00 steps/s, took 8.0 s"));
        Assert.That(text.ToString(), Does.EndWith("\n"));
    }

    [Test]
    public void WhatAnEarlierRunHasDoneIsNoRateOfThisOne()
    {
        ManualClock clock = new();
        StringWriter text = new() { NewLine = "\n" };
        using (ProgressReport progress = new("scoring", 1000, "rows", text, isTerminal: false, clock))
        {
            clock.Advance(1);
            progress.StartFrom(400);
            clock.Advance(1);
            progress.StartFrom(800);
            clock.Advance(5);
            progress.Advance(50); // 50 rows in 5 s: 150 are left, for 15 s
            clock.Advance(5);
            progress.Advance(50);
        }

        Assert.That(text.ToString(), Is.EqualTo(
            """
            scoring: 85%, 850/1 000 rows, 10.0 rows/s, 15 s left
            scoring: 90%, 900/1 000 rows, 10.0 rows/s, 10 s left
            scoring: 90%, 900/1 000 rows, 10.0 rows/s, took 12 s

            """));
    }

    [Test]
    public void ALongStepIsToldAgain([Values] bool isTerminal)
    {
        ManualClock clock = new();
        StringWriter text = new() { NewLine = "\n" };
        using ProgressReport progress = new("x", 100, "rows", text, isTerminal, clock);
        clock.Advance(6);
        progress.Advance(100, "joining");
        clock.Advance(5); // 5 s without news: nothing
        string before = text.ToString();
        clock.Advance(15);
        Assert.That(before, Does.Contain("100/100 rows, 16.7 rows/s"));
        Assert.That(text.ToString()[before.Length..], Does.Contain("100/100 rows, 3.85 rows/s, joining"));
        progress.Dispose();
        string after = text.ToString();
        clock.Advance(60);
        Assert.That(text.ToString(), Is.EqualTo(after), "no more when it is over");
    }

    [TestCase(0.349, "0.35 s")]
    [TestCase(12.4, "12 s")]
    [TestCase(59.7, "1 min 00 s")]
    [TestCase(185, "3 min 05 s")]
    [TestCase(7620, "2 h 07 min")]
    public void DurationsAreReadable(double seconds, string expected) => Assert.That(Durations.Of(TimeSpan.FromSeconds(seconds)), Is.EqualTo(expected));
}

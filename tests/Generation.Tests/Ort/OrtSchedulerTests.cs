using System.Globalization;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests.Ort;

public sealed class OrtSchedulerTests
{
    private static readonly OrtEngineOptions TwoThreads = new() { Threads = 2, Spinning = false };

    [Test]
    public void AStepInSteadyStateAllocatesLessThanAKilobyte([Values(1, 16, 64)] int batch)
    {
        PolicyFolder folder = TestPolicies.Random(context: 300);
        SamplingOptions options = new() { MaxNewTokens = 250, MinNewTokens = 250, BatchSize = batch };
        using OrtPolicy policy = OrtSessionFactory.Open(folder, TwoThreads);
        using OrtWorkspace work = new(policy, batch, 300, TwoThreads);
        using PromptQueue queue = new([.. Enumerable.Range(0, batch).Select(i => Prompts.OfLength(i, 8, 61))], null, folder, 512);
        OrtScheduler scheduler = new(folder, work, options, queue, null, new OrderedOutput<Row>(), TwoThreads);
        for (int step = 0; step < 60; step++) scheduler.Step(default);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 120; step++) scheduler.Step(default);
        double bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 120.0;
        TestContext.Out.WriteLine($"{bytes:F1} bytes a step");

        // Twice in these steps the mask grows a stride and the bindings are made anew; that is counted in.
        Assert.That(bytes, Is.LessThan(1024));
        Assert.That(scheduler.Counts.RowSteps, Is.EqualTo(180L * batch));
    }

    [Test]
    public void RowsThatWaitForTheirTurnAreTrimmed()
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13);
        SamplingOptions options = new() { MaxNewTokens = 60, BatchSize = 4 };
        using OrtPolicy policy = OrtSessionFactory.Open(folder, TwoThreads);
        using OrtWorkspace work = new(policy, 4, 96, TwoThreads);
        using PromptQueue queue = new(Prompts.Mixed(20, 2, 12, 13), null, folder, 512);
        OrderedOutput<Row> output = new();
        OrtScheduler scheduler = new(folder, work, options, queue, null, output, TwoThreads);
        while (scheduler.Step(default)) Assert.That(work.Rows, Is.EqualTo(4));
        int rows = 0;
        for (; output.TryTake(out Row row); rows++) Assert.That((row.Tokens.Length, row.Logprobs.Length, row.PolicyLogprobs.Length), Is.EqualTo((row.Count, row.Count, row.Count)));
        Assert.That(rows, Is.EqualTo(20));
    }

    /// <summary>No memory for a larger batch: the engine tells so, and draws as before.</summary>
    [Test]
    public void AWorkspaceThatFoundNoMemoryIsNotUsed()
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13) with { ContextLength = 1 << 24 };
        SamplingOptions options = new() { MaxNewTokens = 8, BatchSize = 4 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        List<int[]> Draw() => [.. engine.Generate(Prompts.Mixed(6, 2, 12, 13), options).Select(r => r.ResponseTokens)];
        List<int[]> before = Draw();
        Assert.That(() => engine.MeasureBareSteps(1 << 20, 8, 1 << 24), Throws.TypeOf<OutOfMemoryException>()); // petabytes
        Assert.That(Draw(), Is.EqualTo(before));
    }

    [Test]
    public void SlotsAreNeverIdleWhilePromptsWait()
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13);
        using OrtEngine engine = new(folder, null, TwoThreads);
        List<Prompt> prompts = Prompts.Mixed(400, 2, 20, 13);
        int count = engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 40, BatchSize = 16 }).Count();
        Assert.That(count, Is.EqualTo(400));

        // Every step is full but for the tail: at most one response's length of steps.
        GenerationCounts counts = engine.Counts;
        Assert.That((counts.Steps * 16) - counts.RowSteps, Is.LessThan(16 * 40));
        Assert.That(counts.RowSteps, Is.EqualTo(counts.Tokens - counts.Responses), "the first token of a response needs no step");
    }

    [Test]
    public void ALongRunKeepsMemoryFlat()
    {
        if (!File.Exists("/proc/self/status")) Assert.Ignore("skipped: resident memory is read from /proc");
        PolicyFolder folder = TestPolicies.Random();
        using OrtEngine engine = new(folder, null, TwoThreads with { PromptWindow = 128 });
        const int Responses = 100_000;
        IEnumerable<Prompt> prompts = Enumerable.Range(0, Responses).Select(i => Prompts.OfLength(i, 2 + (i % 6), 61));
        long responses = 0;
        double early = 0, late = 0;
        foreach (Rollout _ in engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 3, BatchSize = 64 }))
        {
            if (++responses % 1000 != 0) continue;
            if (responses <= Responses / 2) early = Math.Max(early, ResidentMegabytes());
            else late = Math.Max(late, ResidentMegabytes());
        }

        TestContext.Out.WriteLine($"first half {early:F0} MB, second half {late:F0} MB");
        Assert.That(responses, Is.EqualTo(Responses));
        Assert.That(late - early, Is.LessThan(16));
    }

    [Test]
    public void StopMatcherFindsWhatASearchOfTheWholeTextFinds()
    {
        const string Text = "ab aab abc  abcabd xx abab abac";
        foreach (string stop in (string[])["aab", "abcabd", "abac", "b", "  ab", "zz"])
        {
            for (int piece = 1; piece <= 5; piece++)
            {
                StopMatcher matcher = new([stop, "qqqq"]);
                int found = -1;
                for (int at = 0; at < Text.Length && found < 0; at += piece)
                {
                    if (matcher.Append(Text.Substring(at, Math.Min(piece, Text.Length - at)))) found = at;
                }

                int index = Text.IndexOf(stop, StringComparison.Ordinal);
                Assert.That(found, Is.EqualTo(index < 0 ? -1 : (index + stop.Length - 1) / piece * piece), $"'{stop}' in pieces of {piece}");
            }
        }
    }

    private static double ResidentMegabytes()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}

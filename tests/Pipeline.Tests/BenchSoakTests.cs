using Rlhf.Core;
using Rlhf.Pipeline.Bench;

namespace Rlhf.Pipeline.Tests;

public sealed class BenchSoakTests
{
    /// <summary>Told before the first iteration, not after the last.</summary>
    [Test]
    public void TooFewIterationsAreRefusedAtOnce()
    {
        Assert.That(() => BenchSoak.Run("/no/such/folder", 79), Throws.TypeOf<ConfigurationException>().With.Message.Contains("--iterations 79").And.Message.Contains("80"));
    }

    /// <summary>
    /// Iterations of 8 s after the first, which waited 0.125 s (1.5625 %, little enough) or 0.25 s (3.125 %, too much) for their checkpoints; with 0.25 s of a processor's work and
    /// half a second until the disk had it all, (0.125 + 0.25) / 8 = 4.6875 % and (0.125 + 0.5) / 8 = 7.8125 %, or 6.25 % and 9.375 %.
    /// </summary>
    [TestCase(0.125, "1.56 %", "4.69 %", "7.81 %", true)]
    [TestCase(0.25, "3.13 %", "6.25 %", "9.38 %", false)]
    public void WhatIterationsWaitedIsJudgedAndTheBoundsAreTold(double waited, string share, string withWork, string withDisk, bool met)
    {
        MetricRow Row(int i) => new(i, new Dictionary<string, double>
        {
            ["time/iteration_seconds"] = i == 1 ? 1 : 8, ["time/checkpoint_seconds"] = i == 1 ? 1 : waited, ["time/checkpoint_write_seconds"] = i == 1 ? 0 : 0.5, ["time/checkpoint_processor_seconds"] = i == 1 ? 0 : 0.25,
        });
        IReadOnlyList<SoakNumber> numbers = BenchSoak.JudgeCheckpoints([Row(1), Row(2), Row(3)]);
        Assert.That(numbers.Select(n => n.Value), Is.EqualTo(new[] { share, withWork, withDisk }));
        Assert.That((numbers[0].Required, numbers[0].Met), Is.EqualTo(("at most 3 %", met)));
    }

    /// <summary>100 MiB after the tenth of 80 iterations, another size from the 30th or from the 65th on: growth since the tenth, growth in the last quarter.</summary>
    [TestCase(30, 100, "0.0 %", "0.0 %", true, true)]
    [TestCase(30, 102.5, "+2.5 %", "0.0 %", true, true)]
    [TestCase(30, 104, "+4.0 %", "0.0 %", true, true)]
    [TestCase(30, 106, "+6.0 %", "0.0 %", false, true)]
    [TestCase(75, 102.5, "+2.5 %", "+2.5 %", true, false)]
    [TestCase(30, 99.99, "0.0 %", "0.0 %", true, true)]
    [TestCase(30, 98, "−2.0 %", "0.0 %", true, true)]
    public void GrowthOfMemoryIsJudged(int from, double megabytes, string growth, string lastQuarter, bool met, bool quarterMet)
    {
        MetricRow Row(int i) => new(i, new Dictionary<string, double> { ["time/memory_bytes"] = (i < from ? 100 : megabytes) * 1048576, ["time/iteration_seconds"] = 1, ["time/checkpoint_share"] = 0.01 });
        Dictionary<string, SoakNumber> numbers = BenchSoak.Judge([.. Enumerable.Range(1, 80).Select(Row)]).ToDictionary(n => n.Name);
        SoakNumber since = numbers["growth of memory since then"], last = numbers["growth of memory over the last quarter"];
        Assert.That((since.Value, since.Met, last.Value, last.Met), Is.EqualTo((growth, met, lastQuarter, quarterMet)));
    }
}

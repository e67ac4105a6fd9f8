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
    /// Iterations of 8 s after the first: (0.0625 + 0.0625) / 8 = 1.5625 % is little enough; with 0.25 s of a processor's work, (0.0625 + 0.25) / 8 = 3.90625 % is not, though nobody
    /// waited for it. Half a second until the disk had it all is told: (0.0625 + 0.5) / 8 = 7.03125 %.
    /// </summary>
    [TestCase(0.0625, "1.56 %", true)]
    [TestCase(0.25, "3.91 %", false)]
    public void AllWorkOfTheWritingCounts(double work, string expected, bool met)
    {
        MetricRow Row(int i) => new(i, new Dictionary<string, double>
        {
            ["time/iteration_seconds"] = i == 1 ? 1 : 8, ["time/checkpoint_seconds"] = 0.0625, ["time/checkpoint_write_seconds"] = i == 1 ? 0 : 0.5, ["time/checkpoint_processor_seconds"] = i == 1 ? 0 : work,
        });
        IReadOnlyList<SoakNumber> numbers = BenchSoak.JudgeCheckpoints([Row(1), Row(2), Row(3)]);
        Assert.That(numbers.Select(n => n.Value), Is.EqualTo(new[] { "0.78 %", expected, "7.03 %" }));
        Assert.That((numbers[1].Required, numbers[1].Met), Is.EqualTo(("at most 3 %", met)));
    }
}

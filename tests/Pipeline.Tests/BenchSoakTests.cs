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

    /// <summary>Iterations of 8 s after the first: (0.0625 + 0.0625) / 8 = 1.5625 % is little enough; with 0.25 s of writing, (0.0625 + 0.25) / 8 = 3.90625 % is not, though nobody waited for it.</summary>
    [TestCase(0.0625, "1.56 %", true)]
    [TestCase(0.25, "3.91 %", false)]
    public void AllOfTheWritingCounts(double write, string expected, bool met)
    {
        MetricRow Row(int i) => new(i, new Dictionary<string, double> { ["time/iteration_seconds"] = i == 1 ? 1 : 8, ["time/checkpoint_seconds"] = 0.0625, ["time/checkpoint_write_seconds"] = i == 1 ? 0 : write });
        SoakNumber number = BenchSoak.JudgeCheckpoints([Row(1), Row(2), Row(3)]);
        Assert.That((number.Value, number.Required, number.Met), Is.EqualTo((expected, "at most 3 %", met)));
    }
}

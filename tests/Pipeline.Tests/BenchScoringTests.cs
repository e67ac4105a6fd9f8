using System.Text.Json;

namespace Rlhf.Pipeline.Tests;

/// <summary><c>rlhf bench scoring --json</c>, as small as it goes, on the shipped reward model.</summary>
public sealed class BenchScoringTests
{
    [Test, CancelAfter(120_000)]
    public void EveryPartIsMeasured()
    {
        Ended ended = Programs.Rlhf(
            "bench", "scoring", "--json", "--rows", "64", "--parts", "1", "--max-length", "48", "--data", "no-such-file.jsonl", "--reference-rows", "8", "--shared-prompts", "2", "--shared-responses", "2",
            "--shared-prompt-tokens", "24", "--shared-response-tokens", "4", "--stream-rows", "200000");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        using JsonDocument json = JsonDocument.Parse(ended.Output);
        JsonElement r = json.RootElement;
        double Number(string name) => r.GetProperty(name).GetDouble();
        Assert.Multiple(() =>
        {
            Assert.That((r.GetProperty("Rows").GetInt32(), r.GetProperty("RealTexts").GetBoolean()), Is.EqualTo((64, false)));
            Assert.That(Number("MeanLength"), Is.InRange(2, 48));
            Assert.That(Number("PaddingShare"), Is.InRange(1e-6, 0.05), "short texts of many lengths: some padding, counted as such");
            foreach (string rate in (string[])["TokensPerSecond", "EqualLengthTokensPerSecond", "FullBatchTokensPerSecond", "FixedBatchTokensPerSecond", "PlainFixedBatchTokensPerSecond"])
                Assert.That(Number(rate), Is.GreaterThan(0), rate);
            Assert.That(Number("ShareOfEqualLength"), Is.EqualTo(Number("TokensPerSecond") / Math.Max(Number("EqualLengthTokensPerSecond"), Number("FullBatchTokensPerSecond"))).Within(1e-9));
            Assert.That(r.GetProperty("Reference").GetProperty("Rows").GetInt32(), Is.EqualTo(8));
            Assert.That(r.GetProperty("Shared").GetProperty("WorstDifference").GetDouble(), Is.LessThan(1e-4));
            Assert.That(r.GetProperty("Stream").GetProperty("SameBytes").GetBoolean(), Is.True);
            Assert.That(r.GetProperty("Stream").GetProperty("Stops").GetInt32(), Is.InRange(0, 10));
        });
    }
}

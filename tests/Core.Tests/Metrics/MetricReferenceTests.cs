using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>docs/metrics.md is the catalogue. Set RLHF_APPROVE=1 to write it anew after a change.</summary>
public sealed class MetricReferenceTests
{
    private const string Heading = "# Metrics\n\nEvery number that a run logs (console, `metrics.jsonl`, TensorBoard, report). This page is written from `MetricCatalogue`.\n\n";

    [Test]
    public void ThePageIsTheCatalogue()
    {
        string page = Path.Combine(Checkout.Root, "docs", "metrics.md");
        string expected = Heading + MetricCatalogue.Default.ToMarkdown();
        if (Environment.GetEnvironmentVariable("RLHF_APPROVE") == "1") WholeFile.WriteAllText(page, expected);
        Assert.That(File.ReadAllText(page), Is.EqualTo(expected), "docs/metrics.md is out of date: run this test with RLHF_APPROVE=1 and look at the difference.");
    }
}

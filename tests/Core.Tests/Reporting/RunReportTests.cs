using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class RunReportTests
{
    [Test]
    public void ThePageCanBeMadeAgainFromTheDirectory()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], new SampleConfig { Policy = "/models/tiny" }, new RunManifest
        {
            Seed = 17,
            Threads = 2,
            Versions = new Dictionary<string, string> { ["ONNX Runtime"] = "1.29.0" },
            Inputs = new Dictionary<string, string> { ["policy"] = "abc" },
        });
        ReportData sample = SampleReport.Make(4);
        using (MetricsWriter metrics = new(run.MetricsPath))
        {
            foreach (MetricRow row in sample.Metrics) metrics.Write(row.Iteration, row.Values);
        }

        RunReport.Write(run, sample with { Metrics = [], ConfigYaml = "", Environment = [] });
        string first = File.ReadAllText(run.ReportPath);
        Assert.That(first, Does.Contain("clip_range: 0.25").And.Contain("1.29.0").And.Contain("Highly recommended!").And.Contain("<svg"));
        File.Delete(run.ReportPath);
        RunReport.Rewrite(run);
        Assert.That(File.ReadAllText(run.ReportPath), Is.EqualTo(first));
    }

    [Test]
    public void ARunWithoutEvaluationHasItsCurves()
    {
        using TemporaryFolder folder = new();
        using RunDirectory run = RunDirectory.Create(folder["run"], new SampleConfig { Policy = "/p" }, new RunManifest { Seed = 1, Threads = 1 });
        using (MetricsWriter metrics = new(run.MetricsPath)) metrics.Write(1, new Dictionary<string, double> { ["entropy"] = 2 });
        RunReport.Rewrite(run, folder["other.html"]);
        Assert.That(File.ReadAllText(folder["other.html"]), Does.Contain("<h1>run</h1>").And.Contain("<svg"));
        Assert.That(File.Exists(run.ReportPath), Is.False);
    }
}

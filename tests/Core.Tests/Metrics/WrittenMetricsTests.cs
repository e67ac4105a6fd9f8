using System.Text.RegularExpressions;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>The writers refuse names outside the catalogue; here nothing is in the catalogue that no code writes.</summary>
public sealed partial class WrittenMetricsTests
{
    /// <summary>Those that show metrics or judge by them, and the catalogue itself.</summary>
    private static readonly string[] Readers = ["MetricCatalogue.cs", "ReportCharts.cs", "IterationTable.cs", "HealthCheck.cs", "SentimentResult.cs"];

    private static readonly string Sources = string.Concat(
        Directory.GetFiles(Path.Combine(Checkout.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !Readers.Contains(Path.GetFileName(f)) && !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Select(File.ReadAllText));

    /// <summary>The name stands as a text, its &lt;name&gt; as a hole of one.</summary>
    [TestCaseSource(nameof(Names))]
    public void EveryMetricIsWritten(string name) =>
        Assert.That(Regex.IsMatch(Sources, $"\"{Hole().Replace(Regex.Escape(name), "\\{[^}\"]+\\}")}\""), $"nothing in src writes {name}: write it, or take it (and its chart) out");

    private static IEnumerable<string> Names => MetricCatalogue.Default.All.Select(m => m.Name);

    [GeneratedRegex("<[a-z]+>")]
    private static partial Regex Hole();
}

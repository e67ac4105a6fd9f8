using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed partial class ReportWriterTests
{
    [Test]
    public void ThePageIsOneFile()
    {
        string html = ReportWriter.ToHtml(SampleReport.Make());
        if (Environment.GetEnvironmentVariable("RLHF_REPORT_OUT") is { Length: > 0 } path) WholeFile.WriteAllText(path, html);
        // Nothing is loaded: no addresses, no links, no imports.
        Assert.That(html, Does.Not.Match("(src|href)\\s*=|https?:|@import|url\\("));
        Assert.That(html.Length, Is.LessThan(400_000));
    }

    /// <summary>Every chart is well-formed XML, has finite coordinates, and stays inside its view box.</summary>
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(20)]
    [TestCase(500)]
    public void ChartsAreWellFormed(int iterations)
    {
        MatchCollection charts = Svg().Matches(ReportWriter.ToHtml(SampleReport.Make(iterations)));
        Assert.That(charts, Has.Count.EqualTo(21));
        foreach (Match chart in charts)
        {
            XElement svg = XElement.Parse(chart.Value);
            Assert.That(chart.Value, Does.Not.Contain("NaN\""));
            foreach (XElement element in svg.Descendants())
            {
                foreach (string name in new[] { "x", "x1", "x2", "cx" }.Where(n => element.Attribute(n) is not null)) Assert.That(Number(element, name), Is.InRange(0, 420), chart.Value);
                foreach (string name in new[] { "y", "y1", "y2", "cy" }.Where(n => element.Attribute(n) is not null)) Assert.That(Number(element, name), Is.InRange(0, 230), chart.Value);
                if (element.Attribute("d") is { } d) foreach (Match number in Decimal().Matches(d.Value)) Assert.That(double.Parse(number.Value, CultureInfo.InvariantCulture), Is.InRange(0, 420));
            }
        }
    }

    [Test]
    public void EveryTextIsEscaped()
    {
        const string attack = "<script>alert('x')</script>\"&";
        string html = ReportWriter.ToHtml(new ReportData
        {
            Title = attack,
            Summary = attack,
            Facts = [attack],
            Outcomes = [new(attack, 0, 1, Better.Higher, attack, attack, true)],
            Samples = [new(attack, new ReportResponse(attack, 1, new Dictionary<string, double> { [attack] = 1 }, attack), new ReportResponse(attack, 1))],
            SamplesNote = attack,
            Warnings = [attack],
            Artifacts = [new(attack, attack)],
            ConfigYaml = attack,
            Environment = [new(attack, attack)],
            Metrics = [new MetricRow(1, new Dictionary<string, double> { [$"reward/{attack.Replace("/", "", StringComparison.Ordinal)}/mean"] = 1, ["reward/b/mean"] = 1 })],
        });
        Assert.That(html, Does.Not.Contain("<script>alert"));
        Assert.That(html, Does.Contain("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
        Assert.That(html, Does.Not.Contain("\"&\""));
    }

    [Test]
    public void WhatIsNotThereIsLeftOut()
    {
        string html = ReportWriter.ToHtml(new ReportData { Title = "Empty" });
        Assert.That(html, Does.Not.Contain("<section").And.Not.Contain("<svg"));
        Assert.That(html, Does.Contain("<h1>Empty</h1>"));
    }

    [Test]
    public void DifferencesAreJudged()
    {
        string html = ReportWriter.ToHtml(SampleReport.Make());
        Assert.That(html, Does.Contain("<td class=\"number good\">+0.426</td>")); // 0.934 − 0.508, higher is better
        Assert.That(html, Does.Contain("<td class=\"number bad\">−0.065</td>")); // 0.747 − 0.812, higher is better
        Assert.That(html, Does.Contain("<td class=\"number neutral\">−1.1</td>")); // length: neither
    }

    [Test]
    public void AMissingValueBreaksTheLineAndAnUnmeasuredOneDoesNot()
    {
        MetricRow[] rows = [.. Enumerable.Range(1, 6).Select(i =>
        {
            Dictionary<string, double> values = new() { ["policy/loss"] = i == 3 ? double.NaN : i };
            if (i % 2 == 0) values["entropy"] = i;
            return new MetricRow(i, values);
        })];
        string html = ReportWriter.ToHtml(new ReportData { Title = "t", Metrics = rows });
        string[] charts = [.. Svg().Matches(html).Select(m => m.Value)];
        Assert.That(charts, Has.Length.EqualTo(2));
        Assert.That(Regex.Count(charts[0], "class=\"line"), Is.EqualTo(1)); // entropy: 2, 4, 6 joined
        Assert.That(Regex.Count(charts[1], "class=\"line"), Is.EqualTo(2)); // policy loss: 1–2 and 4–6
    }

    [TestCase(0.0, 1.0, "0 0.2 0.4 0.6 0.8 1")]
    [TestCase(-0.2, 0.7, "-0.2 0 0.2 0.4 0.6 0.8")]
    [TestCase(3.0, 3.0, "2.6 2.8 3 3.2 3.4")]
    [TestCase(0.0, 0.0, "-1 -0.5 0 0.5 1")]
    public void AxesEndOnRoundNumbers(double low, double high, string ticks)
    {
        ChartScale scale = ChartScale.ForValues(low, high);
        Assert.That(string.Join(' ', scale.Ticks.Select(t => Math.Round(t, 6).ToString(CultureInfo.InvariantCulture))), Is.EqualTo(ticks));
        Assert.That(scale.Low, Is.LessThanOrEqualTo(low));
        Assert.That(scale.High, Is.GreaterThanOrEqualTo(high));
    }

    [TestCase(0.0, "0")]
    [TestCase(0.93412, "0.934")]
    [TestCase(-0.0413, "−0.0413")]
    [TestCase(47.219, "47.22")]
    [TestCase(2412.6, "2\u2009413")]
    [TestCase(3e-6, "3e-6")]
    [TestCase(double.NaN, "NaN")]
    public void NumbersAreForPeople(double value, string expected) => Assert.That(ReportNumbers.Of(value), Is.EqualTo(expected));

    private static double Number(XElement element, string name) => double.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();

    [GeneratedRegex("-?[0-9.]+")]
    private static partial Regex Decimal();
}

using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class MetricCatalogueTests
{
    [Test]
    public void EveryMetricIsExplained()
    {
        foreach (MetricDefinition metric in MetricCatalogue.Default.All)
        {
            Assert.That(metric.Name, Does.Match("^[a-z0-9_]+(/([a-z0-9_]+|<name>))*$"));
            Assert.That(metric.Unit, Is.Not.Empty);
            Assert.That(metric.Formula, Is.Not.Empty);
            Assert.That(metric.WhatIsBad, Is.Not.Empty, metric.Name);
        }
    }

    [Test]
    public void TheIterationTableUsesKnownMetrics()
    {
        foreach (IterationColumn column in IterationTable.Default) Assert.That(MetricCatalogue.Default.Contains(column.Metric), column.Metric);
    }

    [Test]
    public void TemplatesMatchOnePart()
    {
        Assert.That(MetricCatalogue.Default.Contains("reward/sentiment/mean"));
        Assert.That(MetricCatalogue.Default.Get("reward/sentiment/mean").Name, Is.EqualTo("reward/<name>/mean"));
        Assert.That(MetricCatalogue.Default.Contains("reward//mean"), Is.False);
        Assert.That(MetricCatalogue.Default.Contains("reward/a/b/mean"), Is.False);
    }

    [Test]
    public void UnknownAndDoubleNamesAreRefused()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => MetricCatalogue.Default.Get("policy/clip_fractoin"))!;
        Assert.That(error.Message, Is.EqualTo(
            "The metric 'policy/clip_fractoin' is not in the catalogue; register it in MetricCatalogue with unit and formula. Did you mean 'policy/clip_fraction'? (Parameter 'name')"));
        Assert.Throws<ArgumentException>(() => new MetricCatalogue().Add("a", "1", "f", "b").Add("a", "1", "f", "b"));
    }
}

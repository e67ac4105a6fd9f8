using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Scoring.Tests;

/// <summary>Batches: every row once, the budget kept, little padding.</summary>
public sealed class TokenBudgetTests
{
    private static int[] Lengths(int rows, uint seed) =>
        [.. Enumerable.Range(0, rows).Select(i => 1 + (int)(511 * Math.Pow(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Probe, 0, 0, (uint)i), 2)))];

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(300)]
    [TestCase(4096)]
    public void EveryRowOnceWithinTheBudget(int rows)
    {
        int[] lengths = Lengths(rows, (uint)rows);
        List<int[]> batches = TokenBudget.Cut(lengths, 2048);
        Assert.That(batches.SelectMany(b => b).Order(), Is.EqualTo(Enumerable.Range(0, rows)));
        foreach (int[] batch in batches) Assert.That(batch.Length * batch.Max(i => lengths[i]), Is.LessThanOrEqualTo(2048));
    }

    [Test]
    public void PaddingOfAWindowIsAFewPercent()
    {
        int[] lengths = Lengths(4096, 5);
        long padded = TokenBudget.Cut(lengths, 8192).Sum(b => (long)b.Length * b.Max(i => lengths[i]));
        Assert.That(padded / (double)lengths.Sum(l => (long)l) - 1, Is.LessThan(TokenBudget.MaximumPadding));
    }

    [Test]
    public void ARowBeyondTheBudgetStandsAlone()
    {
        List<int[]> batches = TokenBudget.Cut([5000, 4, 4], 100);
        Assert.That(batches, Has.Count.EqualTo(2));
        Assert.That(batches[0], Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void EnsemblesJoinAsWorkedByHand() => Assert.Multiple(() =>
    {
        // Of 1 and 3: mean 2, deviation √((1 + 1)/2) = 1.
        Assert.That(EnsembleRule.Parse("mean").Join([1, 3]), Is.EqualTo(2));
        Assert.That(EnsembleRule.Parse("min").Join([1, 3]), Is.EqualTo(1));
        Assert.That(EnsembleRule.Parse("mean-std*0.5").Join([1, 3]), Is.EqualTo(1.5));
        Assert.Throws<ConfigurationException>(() => EnsembleRule.Parse("mean-std*-1"));
        Assert.Throws<ConfigurationException>(() => EnsembleRule.Parse("max"));
    });
}

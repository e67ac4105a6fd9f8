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
    public void PaddingOfEachWindowIsAFewPercent([Values(2, 8, 64, 512, 4096)] int rows, [Values(256, 1024, 8192)] int budget)
    {
        for (uint seed = 0; seed < 20; seed++)
        {
            int[] lengths = Lengths(rows, seed);
            long padded = TokenBudget.Cut(lengths, budget).Sum(b => (long)b.Length * b.Max(i => lengths[i]));
            Assert.That(padded - lengths.Sum(l => (long)l), Is.LessThanOrEqualTo(TokenBudget.MaximumPadding * padded), $"window {seed}");
        }
    }

    [Test]
    public void ABatchMoreIsMadeWhereItSavesMoreThanItCosts()
    {
        // A call costs 12 tokens. Three of 100 beside one of 99: one batch with 1 token of padding. 100 beside 80 would be 20 tokens: two batches.
        Assert.That(TokenBudget.Cut([100, 99, 100, 100], 1024).Select(b => b.Length), Is.EqualTo(new[] { 4 }));
        Assert.That(TokenBudget.Cut([100, 80, 100, 80], 1024).Select(b => b.Length), Is.EqualTo(new[] { 2, 2 }));
        // The budget holds two of 500: 1000 tokens, no more.
        Assert.That(TokenBudget.Cut([500, 500, 500, 500, 500], 1024).Select(b => b.Length).Order(), Is.EqualTo(new[] { 1, 2, 2 }));
        // Two of 10 and one of 9: 1 of 30 is padding, within bounds. One of 10 beside one of 8: 2 of 20 is not.
        Assert.That(TokenBudget.Cut([10, 10, 9], 1024), Has.Count.EqualTo(1));
        Assert.That(TokenBudget.Cut([10, 8], 1024), Has.Count.EqualTo(2));
    }

    [Test]
    public void NoWayToCutAWindowCostsLess()
    {
        // Against every way to cut 10 sorted rows (2^9), where the cheapest is within the bound on padding.
        int compared = 0;
        for (uint seed = 0; seed < 50; seed++)
        {
            int[] lengths = [.. Lengths(10, seed).Select(l => 100 + (l / 8)).Order()];
            double Cost(IEnumerable<int[]> batches) => batches.Sum(b => (b.Length * b.Max(i => lengths[i])) + 12.0);
            List<int[]> best = Enumerable.Range(0, 512).Select(Batches).Where(c => c.All(b => b.Length * lengths[b[^1]] <= 1024)).MinBy(Cost)!;
            if (best.Sum(b => b.Length * lengths[b[^1]]) - lengths.Sum() > 0.04 * lengths.Sum()) continue;
            Assert.That(Cost(TokenBudget.Cut(lengths, 1024)), Is.EqualTo(Cost(best)), $"window {seed}");
            compared++;
        }

        Assert.That(compared, Is.GreaterThan(10));

        static List<int[]> Batches(int cuts)
        {
            var batches = new List<int[]>();
            int start = 0;
            for (int i = 1; i <= 10; i++)
            {
                if (i < 10 && (cuts >> (i - 1) & 1) == 0) continue;
                batches.Add([.. Enumerable.Range(start, i - start)]);
                start = i;
            }

            return batches;
        }
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

using NUnit.Framework;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class CollatorTests
{
    // Row 0: prompt 5 6, response 7 8; row 1: prompt 9, response 4. Inputs are one shorter than the longest: 3 columns.
    //   5 6 7      the states at columns 1 and 2 predict 7 and 8: flat positions 1, 2
    //   9 0 0      the state at column 0 predicts 4: flat position 3
    [Test]
    public void PositionsAndTargetsByHand()
    {
        using DisposeScope scope = NewDisposeScope();
        CollatedBatch batch = CollatedBatch.Create([new(new[] { 5, 6, 7, 8 }, 2), new(new[] { 9, 4 }, 1)], CPU);
        Assert.Multiple(() =>
        {
            Assert.That(batch.Inputs.shape, Is.EqualTo(new long[] { 2, 3 }));
            Assert.That(Tiny.Doubles(batch.Inputs), Is.EqualTo(new double[] { 5, 6, 7, 9, 0, 0 }));
            Assert.That(Tiny.Doubles(batch.Positions), Is.EqualTo(new double[] { 1, 2, 3 }));
            Assert.That(Tiny.Doubles(batch.Targets), Is.EqualTo(new double[] { 7, 8, 4 }));
            Assert.That(batch.Offsets, Is.EqualTo(new[] { 0, 2, 3 }));
            Assert.That(batch.ResponseTokens, Is.EqualTo(3));
        });
    }

    // Longest first: lengths 9 7 4 4 2 are rows 1 4 0 3 2. At most 16 tokens: one row of 9; two of 7; then 4·2 = 8 holds the remaining two.
    [Test]
    public void CutsHoldTheirPaddedTokens()
    {
        List<int[]> cuts = CollatedBatch.CutByTokens([4, 9, 2, 4, 7], 16);
        Assert.That(cuts, Is.EqualTo(new[] { new[] { 1 }, [4, 0], [3, 2] }));
    }

    [Test]
    public void ARowLongerThanTheBudgetGoesAlone() => Assert.That(CollatedBatch.CutByTokens([40, 50], 16), Is.EqualTo(new[] { new[] { 1 }, [0] }));

    [Test]
    public void EveryRowIsCutOutOnce()
    {
        int[] lengths = [.. Enumerable.Range(0, 100).Select(i => 1 + (i * 37 % 29))];
        Assert.That(CollatedBatch.CutByTokens(lengths, 64).SelectMany(c => c).Order(), Is.EqualTo(Enumerable.Range(0, 100)));
    }
}

public sealed class PackedCorpusTests
{
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 103)];

    /// <summary>Each sequence is a run of neighbouring tokens; no token is predicted twice in an epoch.</summary>
    [Test]
    public void AnEpochPredictsEveryTokenAtMostOnce()
    {
        var corpus = new PackedCorpus(Tokens, 10, 5);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            int[][] sequences = [.. Enumerable.Range(0, corpus.SequencesPerEpoch).Select(i => corpus.Sequence((epoch * corpus.SequencesPerEpoch) + i).Tokens.ToArray())];
            Assert.Multiple(() =>
            {
                Assert.That(sequences, Has.All.Length.EqualTo(11));
                Assert.That(sequences.All(s => s.Zip(s.Skip(1), (a, b) => b - a).All(d => d == 1)));
                Assert.That(sequences.SelectMany(s => s.Skip(1)), Is.Unique);
                Assert.That(sequences, Has.Length.EqualTo(9));
            });
        }
    }

    /// <summary>A step's tokens are a pure function of its number, whatever was asked for before.</summary>
    [Test]
    public void SequencesHaveAnAddress()
    {
        var forwards = new PackedCorpus(Tokens, 10, 5);
        var backwards = new PackedCorpus(Tokens, 10, 5);
        int[][] a = [.. Enumerable.Range(0, 30).Select(i => forwards.Sequence(i).Tokens.ToArray())];
        int[][] b = [.. Enumerable.Range(0, 30).Reverse().Select(i => backwards.Sequence(i).Tokens.ToArray())];
        Assert.That(b.Reverse(), Is.EqualTo(a));
        Assert.That(a[..9], Is.Not.EqualTo(a[9..18]), "the second epoch has another order");
    }
}

public sealed class HoldOutTests
{
    private const int Rows = 200_000;

    /// <summary>4000 blocks at 0.1: the standard deviation of the share is 0.0047; 4 of them.</summary>
    [Test]
    public void TheShareIsTheConfiguredOne() =>
        Assert.That(Enumerable.Range(0, Rows).Count(r => HoldOut.Contains(r, 0.1, 1)) / (double)Rows, Is.EqualTo(0.1).Within(0.019));

    [Test]
    public void NeighboursShareOneFate()
    {
        for (long block = 0; block < 100; block++)
            Assert.That(Enumerable.Range(0, HoldOut.BlockRows).Select(i => HoldOut.Contains((block * HoldOut.BlockRows) + i, 0.3, 9)).Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public void NothingIsHeldOutAtZero() => Assert.That(Enumerable.Range(0, 5000).Any(r => HoldOut.Contains(r, 0, 1)), Is.False);
}

using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

public sealed class KneserNeyTests
{
    // 0 1 0 1 0 2: bigrams 01 twice, 02 once, 10 twice. n₁ = 1, n₂ = 2, Y = 1/5, D₁ = 1 − 2·Y·n₂/n₁ = 1/5, D₂ = 2 (no bigram thrice), held at 1.95.
    // Each word continues one word: n₁ = 3, n₂ = 0, D₁ = 1, held at 0.95: p(w) = (0.05 + 3 · 0.95 · 1/3)/3 = 1/3.
    // After 0 (3 times): mass = 1.95 + 0.2 = 2.15, and p(w|0) = (c − D + 2.15/3)/3.
    [Test]
    public void ABigramModelByHand()
    {
        var model = new KneserNey([0, 1, 0, 1, 0, 2], 2, 3);
        double lower = 2.15 / 3;
        Assert.Multiple(() =>
        {
            Assert.That(Math.Exp(model.LogProb([0], 0)), Is.EqualTo(lower / 3).Within(1e-12));
            Assert.That(Math.Exp(model.LogProb([0], 1)), Is.EqualTo((0.05 + lower) / 3).Within(1e-12));
            Assert.That(Math.Exp(model.LogProb([0], 2)), Is.EqualTo((0.8 + lower) / 3).Within(1e-12));
            Assert.That(Math.Exp(model.LogProb([], 2)), Is.EqualTo(1.0 / 3).Within(1e-12));
            Assert.That(Math.Exp(model.LogProb([2], 1)), Is.EqualTo(1.0 / 3).Within(1e-12), "2 was never followed by anything");
        });
    }

    [Test]
    public void ProbabilitiesSumToOneInSeenAndUnseenContexts([Values(1, 2, 3, 5)] int order)
    {
        const int vocabulary = 13;
        var model = new KneserNey(Text(4000, 1), order, vocabulary);
        int[][] contexts = [[], [0], [3, 4], [12, 12, 12, 12], [1, 2, 3, 4, 5, 6, 7], Text(4000, 1)[..9]];
        foreach (int[] context in contexts)
            Assert.That(Enumerable.Range(0, vocabulary).Sum(w => Math.Exp(model.LogProb(context, w))), Is.EqualTo(1).Within(1e-9), string.Join(' ', context));
    }

    [Test]
    public void MoreContextPredictsHeldOutTextBetter()
    {
        double Nats(int order)
        {
            var model = new KneserNey(Text(4000, 1), order, 13);
            int[] heldOut = Text(1000, 2);
            return -Enumerable.Range(1, 999).Average(i => model.LogProb(heldOut.AsSpan(0, i), heldOut[i]));
        }

        Assert.That(Nats(2), Is.LessThan(0.75 * Nats(1)));
    }

    [Test]
    public void WhatDoesNotFitIsSaid() => Assert.Multiple(() =>
    {
        Assert.That(() => new KneserNey([1, 2, 3, 4, 5, 6, 7], 5, 1 << 15), Throws.TypeOf<ConfigurationException>().With.Message.Contains("75 bits"));
        Assert.That(() => new KneserNey([1, 2], 3, 4), Throws.TypeOf<BadDataException>().With.Message.Contains("2 tokens"));
    });

    /// <summary>A chain over 12 of 13 words in which each word is followed by one of three.</summary>
    private static int[] Text(int length, ulong seed)
    {
        int[] text = new int[length];
        for (int i = 1; i < length; i++) text[i] = ((text[i - 1] * 5) + (int)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i) * 3)) % 12;
        return text;
    }
}

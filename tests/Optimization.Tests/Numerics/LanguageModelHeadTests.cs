using NUnit.Framework;
using Rlhf.Algorithms;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class LanguageModelHeadTests
{
    private const int Tokens = 7, Hidden = 5, Vocabulary = 11;

    /// <summary>The tensors are float64, but log-probs and their gradients cross the host as float32: 2⁻²⁴ of numbers of size 1 to 4.</summary>
    private const double HostRounding = 1e-6;

    [Test, Pairwise]
    public void ForwardAndBackwardAreAutograds(
        [Values] bool tied, [Values(1, 3, 7, 512)] int chunkRows, [Values] bool keepSoftmax, [Values(1.0, 0.7)] double temperature, [Values] bool withEntropy, [Values] bool withKl)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = Tiny.Waves(Tokens * Hidden, 1.5).view(Tokens, Hidden);
        Tensor weight = Tiny.Waves(Hidden * Vocabulary, 1.2, 1.3).view(tied ? [Vocabulary, Hidden] : [Hidden, Vocabulary]);
        Tensor targets = tensor(new long[] { 0, 10, 3, 3, 7, 1, 9 });
        float[] byLogProb = [0.5f, -1, 0.25f, 2, 0, -0.125f, 1], byEntropy = withEntropy ? [0.5f, 1, -2, 0.75f, 0.25f, 0, -1] : [];

        Tensor h = hidden.clone().requires_grad_(), w = weight.clone().requires_grad_();
        Tensor logProbs = h.matmul(tied ? w.t() : w).div(temperature).log_softmax(-1);
        Tensor chosen = logProbs.gather(1, targets.unsqueeze(1)).squeeze(1), entropies = logProbs.exp().mul(logProbs).sum(-1).neg();
        Tensor loss = chosen.mul(tensor(byLogProb).to(ScalarType.Float64)).sum();
        if (withEntropy) loss = loss.add(entropies.mul(tensor(byEntropy).to(ScalarType.Float64)).sum());
        Tensor referenceHidden = Tiny.Waves(Tokens * Hidden, 1, 0.9).view(Tokens, Hidden);
        Tensor reference = referenceHidden.matmul(tied ? weight.t() : weight).div(temperature).log_softmax(-1), kl = logProbs.exp().mul(logProbs.sub(reference)).sum(-1);
        float[] byKl = withKl ? [1, 0.5f, -1, 0.25f, 2, 0.125f, 0] : [];
        if (withKl) loss = loss.add(kl.mul(tensor(byKl).to(ScalarType.Float64)).sum());
        loss.backward();

        Tensor weightGradient = zeros_like(weight);
        var head = new LanguageModelHead(weight, weightGradient, tied, chunkRows, keepSoftmax ? long.MaxValue : 0);
        HeadForward forward = head.Forward(hidden, targets, temperature, withEntropy, forBackward: true, withKl ? new ReferenceStates(new LanguageModelHead(weight, null, tied), referenceHidden) : null);
        Tensor hiddenGradient = head.Backward(forward, byLogProb, byEntropy, byKl);

        Assert.Multiple(() =>
        {
            Assert.That(forward.LogProbs.Select(x => (double)x), Is.EqualTo(Tiny.Doubles(chosen)).Within(HostRounding));
            if (withKl) Assert.That(forward.FullKl.Select(x => (double)x), Is.EqualTo(Tiny.Doubles(kl)).Within(4 * HostRounding));
            if (withKl) Assert.That(forward.FullKl.Select(x => (double)x), Is.EqualTo(Rows(logProbs).Zip(Rows(reference), (p, q) => FullVocabularyKl.Value(p, q))).Within(4 * HostRounding), "the equation");
            if (withEntropy) Assert.That(forward.Entropies.Select(x => (double)x), Is.EqualTo(Tiny.Doubles(entropies)).Within(HostRounding));
            Assert.That(Tiny.MaxDifference(hiddenGradient, h.grad!), Is.LessThan(4 * HostRounding));
            Assert.That(Tiny.MaxDifference(weightGradient, w.grad!), Is.LessThan(8 * HostRounding));
        });
    }

    private static double[][] Rows(Tensor of) => [.. Tiny.Doubles(of).Chunk(Vocabulary)];

    /// <summary>Gradients of micro-batches add up in the same buffer.</summary>
    [Test]
    public void TheWeightsGradientIsAddedTo()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = Tiny.Waves(Tokens * Hidden, 1).view(Tokens, Hidden), weight = Tiny.Waves(Hidden * Vocabulary, 1, 1.3).view(Hidden, Vocabulary);
        Tensor targets = zeros([Tokens], ScalarType.Int64), gradient = zeros_like(weight);
        var head = new LanguageModelHead(weight, gradient, tied: false);
        float[] ones = [1, 1, 1, 1, 1, 1, 1];
        head.Backward(head.Forward(hidden, targets, 1, false, true), ones, []);
        Tensor once = gradient.clone();
        head.Backward(head.Forward(hidden, targets, 1, false, true), ones, []);
        Assert.That(Tiny.MaxDifference(gradient, once.mul(2)), Is.LessThan(1e-12));
    }

    /// <summary>p = 0 exactly: the entropy's gradient has no 0 · ∞.</summary>
    [Test]
    public void AnImpossibleTokenGivesFiniteGradients()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = tensor(new float[] { 1 }, 1, 1), weight = tensor(new float[] { 0, 1000, 0 }, 1, 3), gradient = zeros_like(weight);
        var head = new LanguageModelHead(weight, gradient, tied: false);
        HeadForward forward = head.Forward(hidden, tensor(new long[] { 1 }), 1, withEntropy: true, forBackward: true);
        Tensor back = head.Backward(forward, [1], [1]);
        Assert.Multiple(() =>
        {
            Assert.That(forward.Entropies[0], Is.Zero);
            Assert.That(Tiny.Doubles(gradient).Concat(Tiny.Doubles(back)), Has.All.EqualTo(0));
        });
    }
}

using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>What is made of a model ends with it: nothing of its weights outlives it, and nothing is kept that nobody uses.</summary>
[NonParallelizable] // counts tensors; a finalizer of another test can only lower the count
public sealed class ModelPartsTests
{
    [Test]
    public void HeadsKeepNoWeightsAlive([Values] bool tied)
    {
        LlamaConfig shape = Tiny.Config with { Head = ModelHead.LanguageModel, TieWordEmbeddings = tied };
        TrainingSequence[] sequences = Tiny.Sequences(3);
        ReferenceLogProbs.Sums(LlamaModel.Create(shape, 1), sequences, 64, CPU); // what is made once
        long before = Tensor.TotalCount;
        using (LlamaModel model = LlamaModel.Create(shape, 2))
        {
            LanguageModelHead head = ModelParts.Head(model), frozen = ModelParts.Head(model, trainable: false);
            Assert.That(Tensor.TotalCount, Is.GreaterThan(before), "the model's own");
            for (int i = 0; i < 3; i++) ReferenceLogProbs.Sums(model, sequences, 64, CPU);
            Assert.That((head, frozen), Is.Not.EqualTo((frozen, head)));
        }

        using (new IlqlHeads(shape, 3)) { }
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before));
    }

    [Test]
    public void TheMaskIsMadeOnlyWhereSomethingDecays()
    {
        using LlamaModel model = Tiny.Model();
        long before = Tensor.TotalCount;
        using (ModelParts.Optimizer(model, new OptimizerConfig())) Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before + 2), "two moments");
        using (ModelParts.Optimizer(model, new OptimizerConfig { WeightDecay = 0.1 })) Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before + 3), "and the mask");
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before));
    }

    /// <summary>A step without gradients is the decay alone: matrices are multiplied by 1 − ηλ = 1 − 0.5 · 0.5, all else stays, V's output layer too.</summary>
    [Test]
    public void OfQAndVHeadsOnlyMatricesDecay()
    {
        LlamaConfig shape = Tiny.Config with { Head = ModelHead.LanguageModel };
        using LlamaModel model = Tiny.Model(shape);
        using var heads = new IlqlHeads(shape, 4);
        using (no_grad()) heads.Parameters.Flat.fill_(1);
        using var trainer = new IlqlTrainer(model, heads, new IlqlConfig { Model = "model", Optimizer = new OptimizerConfig { WeightDecay = 0.5 } });
        trainer.HeadOptimizer.TakeStep(0.5);
        foreach (ParameterPlace place in heads.Parameters.Table)
        {
            bool matrix = place.Name.EndsWith("weight", StringComparison.Ordinal) && place.Name != "ilql.v.down.weight";
            Assert.That(heads.Parameters.Span(place.Name).ToArray(), Is.All.EqualTo(matrix ? 0.75f : 1f), place.Name);
        }
    }
}

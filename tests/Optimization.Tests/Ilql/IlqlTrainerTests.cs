using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class IlqlTrainerTests
{
    private static readonly LlamaConfig Shape = Tiny.Config with { Head = ModelHead.LanguageModel };

    private static IlqlConfig Config(NextStateValue next = NextStateValue.Value, int microBatchTokens = 4096) => new()
    {
        Model = "model", Tau = 0.8, Gamma = 0.9, CqlCoefficient = 0.3, CloningCoefficient = 0.5, CloningBeta = 0.7, NextState = next, PolyakRate = 0.25, MicroBatchTokens = microBatchTokens,
        Optimizer = new OptimizerConfig { LearningRate = 1e-3, Epsilon = 1e-3 },
    };

    private static IlqlExample[] Examples(int count) =>
    [
        .. Tiny.Sequences(count).Select((s, i) =>
        {
            double[] rewards = new double[s.ResponseLength];
            rewards[0] = 0.125 * (i % 3);
            rewards[^1] += (i % 2) - 0.5;
            return new IlqlExample(s, rewards);
        }),
    ];

    /// <summary>Heads whose output layers are not 0, and slow copies that are not the heads.</summary>
    private static IlqlHeads Heads(ulong seed = 4)
    {
        var heads = new IlqlHeads(Shape, seed);
        using IDisposable noGrad = no_grad();
        heads.Parameters.Flat.add_(Tiny.Waves(heads.Parameters.Flat.numel(), 0.2).to(ScalarType.Float32));
        heads.Slow.Flat.add_(Tiny.Waves(heads.Slow.Flat.numel(), 0.3, 0.9).to(ScalarType.Float32));
        return heads;
    }

    [Test]
    public void NaNNamesTensorStepAndRows()
    {
        using LlamaModel model = Tiny.Model(Shape);
        model.Parameters.Span("model.embed_tokens.weight")[0] = float.NaN;
        using IlqlHeads heads = Heads();
        using var trainer = new IlqlTrainer(model, heads, Config());
        IlqlExample[] rows = [.. Examples(3).Select((e, i) => e with { Sequence = e.Sequence with { Row = 5 * i } })];
        rows[1].Rewards[0] = double.NaN;
        Assert.That(() => trainer.Step(rows, 0), Throws.TypeOf<NumericalException>()
            .With.Message.Contains("at optimiser step 1, rows 0, 5 and 10 of the samples").And.Message.Contains("the weight model.embed_tokens.weight."));
    }

    [Test]
    public void CutAndOrderOfTheBatchChangeNothing([Values] NextStateValue next)
    {
        using LlamaModel whole = Tiny.Model(Shape), cut = Tiny.Model(Shape);
        using IlqlHeads wholeHeads = Heads(), cutHeads = Heads();
        using var first = new IlqlTrainer(whole, wholeHeads, Config(next));
        using var second = new IlqlTrainer(cut, cutHeads, Config(next, microBatchTokens: 16));
        IlqlExample[] examples = Examples(8);
        for (int step = 0; step < 2; step++)
        {
            IlqlLoss a = first.Step(examples, 0).Loss, b = second.Step([.. examples.Reverse()], 0).Loss;
            Assert.That(b.Total, Is.EqualTo(a.Total).Within(1e-6 * Math.Max(1, a.Total)));
        }

        Assert.Multiple(() =>
        {
            Assert.That(Tiny.MaxDifference(cut.Parameters.Flat, whole.Parameters.Flat), Is.LessThan(1e-5));
            Assert.That(Tiny.MaxDifference(cutHeads.Parameters.Flat, wholeHeads.Parameters.Flat), Is.LessThan(1e-5));
            Assert.That(Tiny.MaxDifference(cutHeads.Slow.Flat, wholeHeads.Slow.Flat), Is.LessThan(1e-5));
        });
    }

    /// <summary>
    /// With β₁ = 0 the first moment is the gradient: policy and heads against central differences of the loss. γ = 0 and slow heads of 0 leave no
    /// constant of the loss (y, Q̄) that depends on the weights, so the differences see what autograd must see.
    /// </summary>
    [Test]
    public void TheGradientIsThatOfTheLoss()
    {
        const float h = 1e-3f; // float32: rounding of the loss is about 3e-4 of a unit of gradient
        using LlamaModel model = Tiny.Model(Shape);
        using IlqlHeads heads = Heads();
        using (no_grad()) heads.Slow.Flat.zero_();
        IlqlExample[] examples = Examples(6);
        using var trainer = new IlqlTrainer(model, heads, Config() with
        {
            Gamma = 0, CloningBeta = 0, PolyakRate = 1e-12, Optimizer = new OptimizerConfig { LearningRate = 0, Beta1 = 0, MaxGradientNorm = 0 },
        });
        trainer.Step(examples, 0); // learning rate 0: the weights stay
        Check(heads.Parameters, trainer.HeadOptimizer.FirstMoment);
        Check(model.Parameters, trainer.Optimizer.FirstMoment);

        void Check(ParameterStore store, Tensor moment)
        {
            double[] gradient = Tiny.Doubles(moment);
            foreach (ParameterPlace place in store.Table)
            {
                // The component that matters most: the others drown in float32.
                int offset = (int)place.Offset, largest = Enumerable.Range(0, (int)place.Count).MaxBy(i => Math.Abs(gradient[offset + i]));
                float at = store.Span(place.Name)[largest];
                double numeric = (Moved(at + h) - Moved(at - h)) / (2 * h);
                Moved(at);
                Assert.That(gradient[offset + largest], Is.EqualTo(numeric).Within(0.01 * Math.Max(0.1, Math.Abs(numeric))), place.Name);

                double Moved(float value)
                {
                    store.Span(place.Name)[largest] = value;
                    return trainer.Evaluate(examples).Total;
                }
            }
        }
    }

    /// <summary>The heads' own arithmetic on tensors against the equation.</summary>
    [Test]
    public void SlowHeadsFollow([Values(0.25, 1)] double rate)
    {
        using IlqlHeads heads = Heads();
        float[] expected = [.. Tiny.Doubles(heads.Slow.Flat).Select(x => (float)x)];
        float[] online = [.. Tiny.Doubles(heads.Parameters.Flat).Take(expected.Length).Select(x => (float)x)];
        heads.Follow(rate);
        PolyakAverage.Update(expected, online, rate);
        double[] after = Tiny.Doubles(heads.Slow.Flat);
        for (int i = 0; i < expected.Length; i++) Assert.That(after[i], Is.EqualTo(expected[i]).Within(1e-6));
    }

    /// <summary>max_a Q̄ and Q̄(argmax_a Q) of whole rows against the equations, over more rows than one chunk.</summary>
    [TestCase(NextStateValue.MaxQ)]
    [TestCase(NextStateValue.DoubleQ)]
    public void TheNextStatesValueIsThatOfTheEquation(NextStateValue next)
    {
        using LlamaModel model = Tiny.Model(Shape);
        using IlqlHeads heads = Heads();
        using var trainer = new IlqlTrainer(model, heads, Config(next));
        using DisposeScope scope = NewDisposeScope();
        const int rows = 700;
        Tensor states = Tiny.Waves(rows * Shape.HiddenSize, 1.7).to(ScalarType.Float32).reshape(rows, Shape.HiddenSize);
        double[] found = trainer.StateValues(states), slow = Tiny.Doubles(heads.Least(states, slow: true)), online = Tiny.Doubles(heads.Least(states));
        Assert.That(found, Has.Length.EqualTo(rows));
        for (int i = 0; i < rows; i++)
        {
            Range row = (i * Tiny.Vocabulary)..((i + 1) * Tiny.Vocabulary);
            double expected = next == NextStateValue.MaxQ ? BootstrapTargets.Max(slow[row]) : BootstrapTargets.Double(online[row], slow[row]);
            Assert.That(found[i], Is.EqualTo(expected).Within(1e-6), $"row {i}");
        }
    }

    [Test]
    public void DecodingShiftsTheLogits()
    {
        using LlamaModel model = Tiny.Model(Shape);
        using IlqlHeads heads = Heads();
        const double beta = 2.5;
        int[] prompt = [1, 7, 9];
        DrawnResponse drawn = TorchSampler.Draw(model, [prompt], 5, (_, position) => 0.1 + (0.17 * position), IlqlExport.Shift(heads, beta))[0];
        using IDisposable noGrad = no_grad();
        int[] all = [.. prompt, .. drawn.Tokens];
        for (int t = 0; t < drawn.Tokens.Length; t++)
        {
            using DisposeScope scope = NewDisposeScope();
            int at = prompt.Length + t;
            Tensor state = model.Hidden(tensor(all[..at].Select(x => (long)x).ToArray(), 1, at)).select(1, at - 1);
            double[] shifted = new double[Tiny.Vocabulary];
            IlqlDecoding.Shift(
                Tiny.Doubles(model.Logits(state)), Tiny.Doubles(heads.Output(0).All(heads.Features(0, state))), Tiny.Doubles(heads.Output(1).All(heads.Features(1, state))),
                Tiny.Doubles(heads.Values(state))[0], beta, shifted);
            double[] p = [.. shifted.Select(x => Math.Exp(x - shifted.Max()))];
            double sum = p.Sum();
            Assert.That(drawn.LogProbs[t], Is.EqualTo(Math.Log(p[drawn.Tokens[t]] / sum)).Within(1e-4), $"token {t}");
            // Inverse transform: u falls into the token's share.
            double below = p[..drawn.Tokens[t]].Sum() / sum, u = 0.1 + (0.17 * t);
            Assert.That(u, Is.InRange(below - 1e-5, below + (p[drawn.Tokens[t]] / sum) + 1e-5));
        }
    }
}

public sealed class IlqlFolderTests : FolderTest
{
    /// <summary>Heads come back bit for bit, and the exported graph decodes as torch does (the gate throws otherwise).</summary>
    [Test]
    public void SavedHeadsAndTheOnnxFolderAreTheSameModel()
    {
        LlamaConfig shape = Tiny.Config with { Head = ModelHead.LanguageModel, HeadDim = 16 };
        using LlamaModel model = Tiny.Model(shape, scale: 3);
        using var heads = new IlqlHeads(shape, 5);
        using (no_grad()) heads.Parameters.Flat.add_(Tiny.Waves(heads.Parameters.Flat.numel(), 0.2).to(ScalarType.Float32));
        heads.Save(Folder);
        using var loaded = new IlqlHeads(shape, 6);
        loaded.Load(Folder);
        foreach (ParameterPlace place in heads.Parameters.Table) Assert.That(loaded.Parameters.Span(place.Name).ToArray(), Is.EqualTo(heads.Parameters.Span(place.Name).ToArray()));
        foreach (ParameterPlace place in heads.Slow.Table) Assert.That(loaded.Slow.Span(place.Name).ToArray(), Is.EqualTo(heads.Slow.Span(place.Name).ToArray()));
        Text("tokenizer.json", "{}");
        Rlhf.Export.GateResult gate = IlqlExport.Write(model, loaded, 2, Folder, At("onnx"));
        Assert.That(gate.MeanRatio, Is.LessThan(1.001));
        Assert.That(Path.Combine(At("onnx"), "rollout.onnx"), Does.Exist);
    }
}

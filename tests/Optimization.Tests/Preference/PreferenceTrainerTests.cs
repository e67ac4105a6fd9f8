using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class PreferenceTrainerTests
{
    /// <summary>Float32 model against float64 arithmetic on its log-probs.</summary>
    private const double Float32Loss = 1e-5;

    private static PreferenceConfig Config(PreferenceMethod method, int microBatchTokens = 4096) => new()
    {
        Method = method, Model = "model", Beta = method == PreferenceMethod.Simpo ? 2 : 0.3, Margin = method == PreferenceMethod.Simpo ? 0.5 : 0,
        LabelSmoothing = method == PreferenceMethod.Dpo ? 0.1 : 0, DesirableWeight = method == PreferenceMethod.Kto ? 1.5 : 1, MicroBatchTokens = microBatchTokens,
        // Where a gradient is rounding only, Adam with a tiny ε would make a full step of it.
        Optimizer = new OptimizerConfig { LearningRate = 1e-3, Epsilon = 1e-3 },
    };

    /// <summary>Pairs of ragged responses to ragged prompts, with a mismatched partner for KTO; the reference is another model.</summary>
    private static PreferenceExample[] Pairs(int count, LlamaModel reference)
    {
        TrainingSequence[] sequences = Tiny.Sequences(2 * count);
        PreferenceExample[] pairs =
        [
            .. Enumerable.Range(0, count).Select(i =>
            {
                TrainingSequence a = sequences[2 * i], b = Join(a, sequences[(2 * i) + 1]);
                return new PreferenceExample([a, b], [true, false], i, i);
            }),
        ];
        for (int i = 0; i < count; i++) pairs[i].Mismatched = Join(pairs[i].Responses[0], pairs[(i + 1) % count].Responses[0]);
        ReferenceLogProbs.Fill(reference, pairs, 4096, CPU);
        return pairs;
        static TrainingSequence Join(TrainingSequence prompt, TrainingSequence response) =>
            new((int[])[.. prompt.Tokens.Span[..prompt.ResponseStart], .. response.Tokens.Span[response.ResponseStart..]], prompt.ResponseStart);
    }

    /// <summary>KTO scores mismatched responses in every step; nothing stays of it.</summary>
    [Test, NonParallelizable]
    public void StepsLeaveNoTensorBehind()
    {
        using LlamaModel reference = Tiny.Model(seed: 9), model = Tiny.Model();
        PreferenceExample[] pairs = Pairs(3, reference);
        using var trainer = new PreferenceTrainer(model, Config(PreferenceMethod.Kto));
        trainer.Step(pairs, 0);
        long before = Tensor.TotalCount;
        for (int step = 0; step < 5; step++) trainer.Step(pairs, 0);
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before));
    }

    [Test]
    public void CutAndOrderOfTheBatchChangeNothing([Values] PreferenceMethod method)
    {
        using LlamaModel reference = Tiny.Model(seed: 9), whole = Tiny.Model(), cut = Tiny.Model();
        PreferenceExample[] pairs = Pairs(7, reference);
        using var first = new PreferenceTrainer(whole, Config(method));
        using var second = new PreferenceTrainer(cut, Config(method, microBatchTokens: 16));
        for (int step = 0; step < 2; step++)
        {
            (PreferenceLossSums a, double norm) = first.Step(pairs, 0);
            (PreferenceLossSums b, double other) = second.Step([.. pairs.Reverse()], 0);
            Assert.Multiple(() =>
            {
                Assert.That(b.Loss, Is.EqualTo(a.Loss).Within(1e-6 * Math.Max(1, Math.Abs(a.Loss))));
                Assert.That((b.Pairs, b.Correct), Is.EqualTo((a.Pairs, a.Correct)));
                Assert.That(other, Is.EqualTo(norm).Within(1e-4 * norm));
            });
        }

        Assert.That(Tiny.MaxDifference(cut.Parameters.Flat, whole.Parameters.Flat), Is.LessThan(1e-5));
    }

    /// <summary>The loss written once more from the papers, on logits of one sequence at a time.</summary>
    [Test]
    public void TheLossIsThatOfThePaper([Values] PreferenceMethod method)
    {
        using LlamaModel reference = Tiny.Model(seed: 9), model = Tiny.Model();
        PreferenceExample[] pairs = Pairs(6, reference);
        PreferenceConfig config = Config(method);
        using var trainer = new PreferenceTrainer(model, config);
        double expected = 0, beta = config.Beta;
        double z = Math.Max(0, pairs.Average(p => Sum(model, p.Mismatched!.Value) - Sum(reference, p.Mismatched!.Value)));
        foreach (PreferenceExample pair in pairs)
        {
            double c = Sum(model, pair.Responses[0]), r = Sum(model, pair.Responses[1]), c0 = Sum(reference, pair.Responses[0]), r0 = Sum(reference, pair.Responses[1]);
            double mc = c / pair.Responses[0].ResponseLength, mr = r / pair.Responses[1].ResponseLength, h = c - c0 - (r - r0);
            expected += method switch
            {
                PreferenceMethod.Dpo => (-0.9 * Math.Log(S(beta * h))) - (0.1 * Math.Log(S(-beta * h))),
                PreferenceMethod.Ipo => Math.Pow(h - (1 / (2 * beta)), 2),
                PreferenceMethod.Orpo => -mc - (beta * Math.Log(S(Math.Log(Math.Exp(mc) / (1 - Math.Exp(mc))) - Math.Log(Math.Exp(mr) / (1 - Math.Exp(mr)))))),
                PreferenceMethod.Simpo => -Math.Log(S((beta * (mc - mr)) - 0.5)),
                _ => ((1.5 * (1 - S(beta * (c - c0 - z)))) + (1 - S(beta * (z - (r - r0))))) / 2,
            };
        }

        Assert.That(trainer.Evaluate(pairs).Loss, Is.EqualTo(expected / pairs.Length).Within(Float32Loss * Math.Max(1, expected)));
        Assert.That(trainer.Step(pairs, 0).Sums.Loss, Is.EqualTo(expected / pairs.Length).Within(Float32Loss * Math.Max(1, expected)));
        static double S(double x) => 1 / (1 + Math.Exp(-x));
    }

    /// <summary>People prefer the response with more of token 5; pairs that were not trained on show it.</summary>
    [Test]
    public void HeldOutAccuracyRises([Values] PreferenceMethod method)
    {
        using LlamaModel model = LlamaModel.Create(Tiny.Config with { Head = ModelHead.LanguageModel }, 3), reference = model.Clone(trainable: false);
        double U(int i, int t) => AddressedRandom.Uniform(5, AddressedRandom.Stream.Data, (uint)i, (uint)t);
        PreferenceExample[] pairs =
        [
            .. Enumerable.Range(0, 160).Select(i =>
            {
                int[] Response(int which, double share) => [1, 3 + (i % 4), .. Enumerable.Range(0, 6).Select(t => U(i, (20 * which) + t) < share ? 5 : 6 + (int)(U(i, (20 * which) + t + 10) * 30))];
                return new PreferenceExample([new(Response(0, 0.5), 2), new(Response(1, 0.05), 2)], [true, false], i % 4, i);
            }),
        ];
        for (int i = 0; i < pairs.Length; i++) pairs[i].Mismatched = pairs[(i + 1) % pairs.Length].Responses[0];
        ReferenceLogProbs.Fill(reference, pairs, 4096, CPU);
        using var trainer = new PreferenceTrainer(model, Config(method) with { Optimizer = new OptimizerConfig { LearningRate = 5e-3 } });
        for (int step = 0; step < 12; step++) trainer.Step(pairs[(step % 3 * 40)..((step % 3 * 40) + 40)], 0);
        PreferenceLossSums heldOut = trainer.Evaluate(pairs[120..]);
        Assert.That((heldOut.Pairs, heldOut.Accuracy), Is.EqualTo((40L, 1.0)).Within(0.15), $"margin {heldOut.Margin}");
    }

    [TestCase("1", true, true)]
    [TestCase("UP", true, true)]
    [TestCase("false", true, false)]
    [TestCase("-1", true, false)]
    [TestCase("3", false, false)]
    public void Thumbs(string text, bool known, bool up)
    {
        Assert.That(PreferenceData.TryThumb(text, out bool found), Is.EqualTo(known));
        Assert.That(found, Is.EqualTo(up));
    }

    /// <summary>Σ log π of the response by log-softmax over all logits, in float64.</summary>
    private static double Sum(LlamaModel model, TrainingSequence sequence)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        int[] tokens = sequence.Tokens.ToArray();
        double[] logits = Tiny.Doubles(model.Logits(model.Hidden(tensor(tokens.Select(t => (long)t).ToArray(), 1, tokens.Length))));
        double sum = 0;
        for (int t = sequence.ResponseStart; t < tokens.Length; t++)
        {
            double[] row = logits[((t - 1) * Tiny.Vocabulary)..(t * Tiny.Vocabulary)];
            sum += row[tokens[t]] - Math.Log(row.Sum(Math.Exp));
        }

        return sum;
    }
}

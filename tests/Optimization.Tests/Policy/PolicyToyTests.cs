using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>The whole method on a task that anybody can judge: say token 5 as often as possible.</summary>
public sealed class PolicyToyTests
{
    private const int Wanted = 5, Responses = 48, Length = 8, Iterations = 12;

    [Test]
    public void TheRewardRises([Values(Critic.Shared, Critic.Separate)] Critic critic)
    {
        RunConfig run = new()
        {
            Seed = 4, Iterations = Iterations, Threads = 1, Policy = "policy", Generation = new GenerationConfig { Prompts = "prompts" },
            Method = new MethodConfig { Epochs = 2, MinibatchSize = 16, KlCoefficient = 0.01, Critic = critic },
            Optimizer = new OptimizerConfig { LearningRate = 5e-3 },
        };
        LlamaConfig shape = Tiny.Config with { Head = critic == Critic.Shared ? ModelHead.LanguageModelWithValue : ModelHead.LanguageModel };
        using LlamaModel policy = LlamaModel.Create(shape, 1), reference = policy.Clone(trainable: false);
        using LlamaModel? values = critic == Critic.Shared ? null : LlamaModel.Create(Tiny.Config, 2);
        using var trainer = new PolicyTrainer(policy, values, run);
        var scores = new List<double>();
        for (int iteration = 1; iteration <= Iterations; iteration++)
        {
            var batch = new TrajectoryBatch(Sample(policy, iteration));
            for (int i = 0; i < Responses; i++) batch.Scores[i] = batch.Sequences[i].Tokens.ToArray()[1..].Count(t => t == Wanted) / (double)Length;
            new PolicyScorer(reference, null, 4096, 1, CPU).Score(batch.Sequences, batch.Offsets, batch.ReferenceLogProbs, [], []);
            scores.Add(batch.Scores.Average());
            trainer.Train(batch, iteration);
        }

        // By chance the share is 1/37 ≈ 0.03.
        TestContext.Out.WriteLine(string.Join(' ', scores.Select(s => s.ToString("F3", System.Globalization.CultureInfo.InvariantCulture))));
        Assert.Multiple(() =>
        {
            Assert.That(scores[0], Is.LessThan(0.1));
            Assert.That(scores[^1], Is.GreaterThan(0.3));
        });
    }

    /// <summary>Responses of one prompt token, drawn by address, the whole sequence computed anew for each token.</summary>
    private static TrainingSequence[] Sample(LlamaModel policy, int iteration)
    {
        using IDisposable noGrad = no_grad();
        int[][] rows = [.. Enumerable.Range(0, Responses).Select(i => new int[Length + 1])];
        for (int i = 0; i < Responses; i++) rows[i][0] = 3 + (i % 8);
        for (int t = 1; t <= Length; t++)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor ids = tensor(rows.SelectMany(r => r[..t].Select(x => (long)x)).ToArray(), Responses, t);
            double[] probs = Tiny.Doubles(policy.Logits(policy.Hidden(ids).narrow(1, t - 1, 1)).softmax(-1));
            for (int i = 0; i < Responses; i++)
            {
                double u = AddressedRandom.SamplingUniform(9, iteration, (ulong)i, 0, t), sum = 0;
                int token = 0;
                while (token < Tiny.Vocabulary - 1 && (sum += probs[(i * Tiny.Vocabulary) + token]) < u) token++;
                rows[i][t] = token;
            }
        }

        return [.. rows.Select(r => new TrainingSequence(r, 1))];
    }
}

using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>
/// The gradient that the trainer really steps with, against finite differences of the PPO loss written once more from the paper in float64.
/// With β₁ = 0 the first moment is the gradient, and the second step of two is off-policy: ratios, clips and the value clip are all at work.
/// </summary>
public sealed class PolicyLossGradientTests
{
    private const double ClipLow = 0.05, ClipHigh = 0.1, ValueClip = 0.05, ValueCoefficient = 0.5, EntropyCoefficient = 0.02, Temperature = 0.7;

    /// <summary>Step of the central difference: its own error is of order h² ≈ 1e-10.</summary>
    private const double H = 1e-5;

    [Test]
    public void TheGradientIsThatOfTheLoss([Values(Critic.Shared, Critic.Separate)] Critic critic)
    {
        RunConfig run = PolicyFixture.Configuration(
            ppo => ppo with
            {
                Epochs = 2, MinibatchSize = 6, MicroBatchTokens = 40, Critic = critic, ClipRange = ClipLow, ClipRangeHigh = ClipHigh, ValueClipRange = ValueClip,
                ValueCoefficient = ValueCoefficient, EntropyCoefficient = EntropyCoefficient,
            },
            steps => steps with { Beta1 = 0, MaxGradientNorm = 0, LearningRate = 0.01 });
        using var at = new PolicyFixture(run, responses: 6);
        using LlamaModel policy = LlamaModel.Create(at.Policy.Config, 0, dtype: ScalarType.Float64);
        using LlamaModel? values = at.CriticModel is null ? null : LlamaModel.Create(at.CriticModel.Config, 0, dtype: ScalarType.Float64);
        PolicyMetrics metrics = at.Trainer.Train(at.Batch, 1, (done, _) =>
        {
            if (done != 1) return;
            policy.Parameters.CopyFrom(at.Policy.Parameters); // the weights between the two steps
            values?.Parameters.CopyFrom(at.CriticModel!.Parameters);
        });
        Dictionary<string, double> numbers = metrics.ToDictionary();
        Assert.Multiple(() =>
        {
            Assert.That(numbers["policy/updates"], Is.EqualTo(2));
            Assert.That(numbers["policy/clip_fraction"], Is.InRange(0.05, 0.95), "some tokens are clipped, some are not");
            Assert.That(numbers["value/clip_fraction"], Is.InRange(0.01, 0.99), "some values are clipped, some are not");
        });

        Check(policy, at.Trainer.PolicyOptimizer.FirstMoment);
        if (values is not null) Check(values, at.Trainer.CriticOptimizer!.FirstMoment);

        void Check(LlamaModel model, Tensor moment)
        {
            double[] gradient = Tiny.Doubles(moment);
            double largest = gradient.Max(Math.Abs);
            foreach (ParameterPlace place in model.Parameters.Table)
            {
                long index = place.Offset + (place.Count / 2);
                double numeric = (Moved(H) - Moved(-H)) / (2 * H);
                Assert.That(gradient[index], Is.EqualTo(numeric).Within(2e-5 * largest), $"{place.Name}: float32 trainer and float64 difference");

                double Moved(double by)
                {
                    using IDisposable noGrad = no_grad();
                    using Tensor one = model.Parameters.Flat.narrow(0, index, 1);
                    one.add_(by);
                    double loss = Loss(policy, values, at.Batch);
                    one.sub_(by);
                    return loss;
                }
            }
        }
    }

    /// <summary>L = 1/N Σ [ max(−ρA, −clip(ρ)A) + c_v ½ max((V−R)², (V_c−R)²) − c_e H ], one response at a time.</summary>
    private static double Loss(LlamaModel policy, LlamaModel? critic, TrajectoryBatch batch)
    {
        double sum = 0;
        for (int i = 0; i < batch.Sequences.Count; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            int[] tokens = batch.Sequences[i].Tokens.ToArray();
            int start = batch.Sequences[i].ResponseStart;
            Tensor ids = tensor(tokens[..^1].Select(t => (long)t).ToArray(), 1, tokens.Length - 1);
            Tensor states = policy.Hidden(ids);
            Tensor logProbs = policy.Logits(states).div(Temperature).log_softmax(-1)[0]; // [time, vocabulary]
            double[] flat = Tiny.Doubles(logProbs), v = Tiny.Doubles((critic ?? policy).Values(critic is null ? states : critic.Hidden(ids)));
            for (int t = 0; t < tokens.Length - start; t++)
            {
                int column = start + t - 1, k = batch.Offsets[i] + t;
                double[] row = flat[(column * Tiny.Vocabulary)..((column + 1) * Tiny.Vocabulary)];
                double ratio = Math.Exp(row[tokens[start + t]] - batch.OldLogProbs[k]), a = batch.Advantages[k], r = batch.Returns[k], old = batch.OldValues[k];
                double held = Math.Min(Math.Max(v[column], old - ValueClip), old + ValueClip);
                sum += Math.Max(-ratio * a, -Math.Min(Math.Max(ratio, 1 - ClipLow), 1 + ClipHigh) * a)
                    + (ValueCoefficient * 0.5 * Math.Max(Math.Pow(v[column] - r, 2), Math.Pow(held - r, 2)))
                    + (EntropyCoefficient * row.Sum(lp => Math.Exp(lp) * lp));
            }
        }

        return sum / batch.Tokens;
    }
}

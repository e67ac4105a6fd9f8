using NUnit.Framework;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

public sealed class AdamWTests
{
    private const int Steps = 5;
    private static readonly double[] Start = [0.5, -1.25, 2, 0], Decayed = [1, 0, 1, 0];

    /// <summary>Float64 buffers against the equations written out for one number at a time.</summary>
    [Test, Combinatorial]
    public void FiveStepsAreThoseOfTheScalarEquations([Values] bool tensorFlowEpsilon, [Values(0, 0.1)] double weightDecay, [Values(0, 1)] double maximalNorm, [Values] bool masked)
    {
        using DisposeScope scope = NewDisposeScope();
        var config = new OptimizerConfig
        {
            Beta1 = 0.75, Beta2 = 0.5, Epsilon = 0.01, WeightDecay = weightDecay, MaxGradientNorm = maximalNorm, TensorFlowEpsilon = tensorFlowEpsilon,
        };
        Tensor parameters = tensor(Start), gradient = zeros_like(parameters);
        using var adam = new AdamW(parameters, gradient, masked ? tensor(Decayed).DetachFromDisposeScope() : null, config);
        double[] x = [.. Start], m = new double[4], v = new double[4];
        for (int t = 1; t <= Steps; t++)
        {
            double[] g = [Math.Sin(t), -2.0 * t, 0, 0.125];
            gradient.copy_(tensor(g));
            double learningRate = 0.5 / t, norm = Math.Sqrt(g.Sum(a => a * a)), scale = maximalNorm > 0 && norm > maximalNorm ? maximalNorm / norm : 1;
            Assert.That(adam.TakeStep(learningRate), Is.EqualTo(norm).Within(1e-12), "the norm before clipping");
            for (int i = 0; i < 4; i++)
            {
                double gi = g[i] * scale;
                m[i] = (0.75 * m[i]) + (0.25 * gi);
                v[i] = (0.5 * v[i]) + (0.5 * gi * gi);
                x[i] -= learningRate * weightDecay * x[i] * (masked ? Decayed[i] : 1);
                double c1 = 1 - Math.Pow(0.75, t), c2 = 1 - Math.Pow(0.5, t);
                x[i] -= tensorFlowEpsilon
                    ? learningRate * Math.Sqrt(c2) / c1 * m[i] / (Math.Sqrt(v[i]) + 0.01)
                    : learningRate * (m[i] / c1) / (Math.Sqrt(v[i] / c2) + 0.01);
            }

            Assert.That(Tiny.Doubles(parameters), Is.EqualTo(x).Within(1e-10), $"step {t}");
            Assert.That(Tiny.Doubles(gradient), Has.All.EqualTo(0), "the gradient is zero again");
        }

        Assert.That(adam.Step, Is.EqualTo(Steps));
    }

    [Test]
    public void ANotFiniteGradientLeavesTheWeightsAlone([Values(double.NaN, double.PositiveInfinity)] double bad)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor parameters = tensor(Start), gradient = tensor(new[] { 1, bad, 0, 0 });
        using var adam = new AdamW(parameters, gradient, null, new OptimizerConfig(), () => " It is in tensor x.");
        NumericalException error = Assert.Throws<NumericalException>(() => adam.TakeStep(0.1))!;
        Assert.Multiple(() =>
        {
            Assert.That(error.Message, Does.Contain("optimiser step 1").And.Contain("tensor x").And.Contain("learning_rate"));
            Assert.That(Tiny.Doubles(parameters), Is.EqualTo(Start));
        });
    }
}

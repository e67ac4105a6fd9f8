using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

/// <summary>NaN planted in weights, rewards and gradients: found in the same step, with tensor, step and rows.</summary>
public sealed class NumericalGuardTests
{
    private const string Weight = "model.layers.0.self_attn.v_proj.weight";

    [Test]
    public void InAReferenceLogProb()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(method => method with { MinibatchSize = 10 }));
        at.Batch.ReferenceLogProbs[at.Batch.Offsets[7] + 1] = double.NaN;
        float[] before = at.Policy.Parameters.Span(Weight).ToArray();
        Assert.That(() => at.Train(3), Throws.TypeOf<NumericalException>().With.Message.Contains("in iteration 3, optimiser step 1; no step was taken. NaN or Inf is in the reference log-probs of row 7."));
        Assert.That(at.Policy.Parameters.Span(Weight).ToArray(), Is.EqualTo(before));
    }

    [Test]
    public void InAScore()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(method => method with { MinibatchSize = 10, RewardClip = 0 }));
        at.Batch.Scores[4] = double.PositiveInfinity;
        Assert.That(() => at.Train(), Throws.TypeOf<NumericalException>().With.Message.Contains("optimiser step 1; no step was taken. NaN or Inf is in the rewards of row 4."));
    }

    [Test]
    public void InAGradient([Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(method => method with { MinibatchSize = 10 }));
        using (TorchSharp.torch.no_grad())
        using (TorchSharp.torch.Tensor gradient = at.Policy.Parameters.GradientOf(Weight)) gradient.view(-1).narrow(0, 3, 1).fill_(bad);
        Assert.That(() => at.Train(2), Throws.TypeOf<NumericalException>().With.Message.StartsWith("Iteration 2, rows ").And.Message.Contains("at optimiser step 1").And.Message.Contains($"gradient of {Weight}."));
    }

    /// <summary>Weights that break in a step (here by a damaged moment) are found in that step.</summary>
    [Test]
    public void InTheWeightsAfterAStep()
    {
        using var at = new PolicyFixture(PolicyFixture.Configuration(method => method with { MinibatchSize = 10 }));
        using (TorchSharp.torch.no_grad())
        using (TorchSharp.torch.Tensor moment = at.Trainer.PolicyOptimizer.FirstMoment.narrow(0, 0, 1)) moment.fill_(float.NaN);
        Assert.That(() => at.Train(), Throws.TypeOf<NumericalException>().With.Message.Contains("not finite after optimiser step 1").And.Message.Contains("in the weight "));
    }

    [TestCase(1, "row 0")]
    [TestCase(2, "rows 0 and 1")]
    [TestCase(3, "rows 0, 1 and 2")]
    [TestCase(30, "rows 0, 1, 2, 3, 4, 5, 6, 7 and 22 more")]
    public void RowsAreTold(int count, string text) => Assert.That(NumericalGuard.Rows([.. Enumerable.Range(0, count)]), Is.EqualTo(text));
}

using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>The gradient of the whole model against finite differences, in float64.</summary>
public sealed class GradientTests
{
    private const double Step = 1e-6;

    /// <summary>Central differences in float64: about Step² and 1e-16 / Step.</summary>
    private const double Tolerance = 2e-8;

    [TestCase(ModelHead.LanguageModel, true, "llama", false)]
    [TestCase(ModelHead.LanguageModelWithValue, false, "llama", true)]
    [TestCase(ModelHead.LanguageModel, true, "qwen2", true)]
    [TestCase(ModelHead.Scalar, true, "llama", false)]
    public void Of_every_parameter_tensor(ModelHead head, bool tied, string type, bool bias)
    {
        LlamaConfig config = TestModels.Tiny with { Head = head, TieWordEmbeddings = tied, ModelType = type, AttentionBias = bias, ScoreBias = true, RewardPooling = RewardPooling.Mean };
        using LlamaModel model = TestModels.Create(config, ScalarType.Float64, scale: 10);
        using (NewDisposeScope()) Loss(model).backward();
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            foreach (long index in new[] { 0, place.Count / 2, place.Count - 1 }.Distinct())
            {
                double difference = (LossAt(model, place, index, Step) - LossAt(model, place, index, -Step)) / (2 * Step);
                using DisposeScope scope = NewDisposeScope();
                double gradient = model.Parameters.Gradient![place.Offset + index].item<double>();
                Assert.That(gradient, Is.EqualTo(difference).Within(Tolerance * Math.Max(1, Math.Abs(difference))), $"{place.Name}[{index}]");
            }
        }
    }

    private static double LossAt(LlamaModel model, ParameterPlace place, long index, double change)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        Tensor number = model.Parameters.Flat.narrow(0, place.Offset + index, 1);
        number.add_(change);
        double loss = Loss(model).item<double>();
        number.sub_(change);
        return loss;
    }

    /// <summary>A smooth function of everything the head gives; two rows, one of them padded.</summary>
    private static Tensor Loss(LlamaModel model)
    {
        Tensor ids = TestModels.Ids([1, 5, 9, 3, 10], [2, 4, 4, 0, 0]), hidden = model.Hidden(ids);
        if (model.Config.Head == ModelHead.Scalar)
            return model.Score(hidden, tensor(new long[] { 5, 3 })).mul(tensor(new double[] { 1, -0.5 })).sum();
        Tensor loss = model.Logits(hidden).log_softmax(-1).narrow(2, 3, 2).mean();
        return model.Config.Head == ModelHead.LanguageModelWithValue ? loss.add(model.Values(hidden).pow(2).mean()) : loss;
    }
}

using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>What trainers take out of a model: its head, the mask of decayed weights, its likelihood of a text.</summary>
public static class ModelParts
{
    /// <summary>The chunked LM head over the model's own (tied or untied) weight and gradient, which stay the model's: the head ends with it.</summary>
    public static LanguageModelHead Head(LlamaModel model, bool trainable = true)
    {
        bool tied = model.Config.TieWordEmbeddings;
        string name = tied ? "model.embed_tokens.weight" : "lm_head.weight";
        return new LanguageModelHead(model.Parameters[name], trainable ? model.Parameters.GradientOf(name) : null, tied);
    }

    /// <summary>[parameters] 1 where weight decay applies: matrices; not gains, biases, nor heads of one row.</summary>
    public static Tensor DecayMask(ParameterStore parameters)
    {
        Tensor mask = zeros_like(parameters.Flat).DetachFromDisposeScope();
        foreach (ParameterPlace p in parameters.Table)
        {
            if (p.Spec.Shape.Count != 2 || p.Spec.Shape.Min() == 1) continue;
            using Tensor matrix = mask.narrow(0, p.Offset, p.Count);
            matrix.fill_(1).Dispose();
        }

        return mask;
    }

    /// <summary>AdamW over all weights of a trainable model, with <see cref="DecayMask"/>. Its errors name the tensor.</summary>
    public static AdamW Optimizer(LlamaModel model, OptimizerConfig config) => Optimizer(model.Parameters, config, () => NonFinite(model));

    /// <summary>AdamW over all weights of a trainable store, with <see cref="DecayMask"/> where something decays.</summary>
    /// <param name="parameters">With gradients.</param>
    /// <param name="config">Rates and bounds.</param>
    /// <param name="nonFinite">Says which tensor went bad, for errors.</param>
    public static AdamW Optimizer(ParameterStore parameters, OptimizerConfig config, Func<string> nonFinite) =>
        new(parameters.Flat, parameters.Gradient!, config.WeightDecay > 0 ? DecayMask(parameters) : null, config, nonFinite);

    /// <summary>Which tensor went bad, for an error message: the first weight, else the first gradient, that holds NaN or Inf; empty when none does.</summary>
    public static string NonFinite(LlamaModel model)
    {
        using IDisposable noGrad = no_grad();
        foreach ((Tensor? flat, string what) in new[] { ((Tensor?)model.Parameters.Flat, "weight"), (model.Parameters.Gradient, "gradient of") })
        {
            if (flat is null || AllFinite(flat, 0, flat.numel())) continue;
            ParameterPlace? place = model.Parameters.Table.FirstOrDefault(p => !AllFinite(flat, p.Offset, p.Count));
            if (place is not null) return $" The first NaN or Inf is in the {what} {place.Name}.";
        }

        // Finite, but so large that a sum of squares is not.
        ParameterPlace? huge = model.Parameters.Table.FirstOrDefault(p => !double.IsFinite(Norm(model.Parameters.Flat, p)));
        if (huge is not null) return $" The norm of the weight {huge.Name} is beyond float32.";

        return "";
    }

    private static double Norm(Tensor flat, ParameterPlace place)
    {
        using DisposeScope scope = NewDisposeScope();
        return flat.narrow(0, place.Offset, place.Count).norm().cpu().to(ScalarType.Float64).item<double>();
    }

    // NaN and ±Inf times 0 are NaN, and NaN spreads through a sum.
    private static bool AllFinite(Tensor flat, long offset, long count)
    {
        using DisposeScope scope = NewDisposeScope();
        return flat.narrow(0, offset, count).mul(0).sum().cpu().to(ScalarType.Float64).item<double>() == 0;
    }

    /// <summary>Σ −log π over response tokens in nats, and their number.</summary>
    public static (double Nats, long Tokens) NegativeLogLikelihood(LlamaModel model, LanguageModelHead head, IEnumerable<TrainingSequence> sequences, int batchSize, Device device)
    {
        using IDisposable noGrad = no_grad();
        double nats = 0;
        long tokens = 0;
        foreach (TrainingSequence[] rows in sequences.Chunk(batchSize))
        {
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch collated = CollatedBatch.Create(rows, device);
            Tensor states = model.Hidden(collated.Inputs);
            Tensor chosen = states.reshape(-1, states.shape[2]).index_select(0, collated.Positions);
            HeadForward forward = head.Forward(chosen, collated.Targets, 1, withEntropy: false, forBackward: false);
            nats -= forward.LogProbs.Sum(p => (double)p);
            tokens += forward.LogProbs.Length;
        }

        return (nats, tokens);
    }
}

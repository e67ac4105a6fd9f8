using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>Small models and batches.</summary>
internal static class TestModels
{
    /// <summary>11 ids, hidden 8, 2 layers, 4 heads on 2 key/value heads of size 4: every code path, few numbers.</summary>
    public static LlamaConfig Tiny => new()
    {
        VocabSize = 11, HiddenSize = 8, IntermediateSize = 12, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 4,
        MaxPositionEmbeddings = 32, TieWordEmbeddings = true, RopeTheta = 100, BosTokenId = 1, EosTokenIds = [2],
    };

    /// <summary>Weights large enough that every part matters.</summary>
    public static LlamaModel Create(LlamaConfig config, ScalarType dtype = ScalarType.Float32, double scale = 15)
    {
        LlamaModel model = LlamaModel.Create(config, 7, dtype: dtype);
        using IDisposable noGrad = no_grad();
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            if (place.Spec.Start is ParameterStart.Normal or ParameterStart.Residual) model.Parameters[place.Name].mul_(scale);
            else Distinct(model.Parameters[place.Name], place.Spec.Start == ParameterStart.One ? 1 : 0);
        }

        return model;
    }

    public static Tensor Ids(params long[][] rows) => tensor(rows.SelectMany(r => r).ToArray(), [rows.Length, rows[0].Length]);

    public static double MaxDifference(Tensor a, Tensor b)
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        Tensor difference = a.sub(b).abs().max();
        return difference.to(ScalarType.Float64).item<double>();
    }

    /// <summary>Biases and gains that differ from one number to the next, so that none can be dropped unnoticed.</summary>
    private static void Distinct(Tensor target, double centre)
    {
        using TorchSharp.DisposeScope scope = NewDisposeScope();
        Tensor steps = arange(target.numel(), ScalarType.Float64).mul(0.7).sin().mul(0.3).add(centre).view(target.shape);
        target.copy_(steps);
    }
}

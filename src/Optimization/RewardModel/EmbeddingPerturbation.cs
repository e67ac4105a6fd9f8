using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Moves the embeddings by ε g/‖g‖, g being their gradient so far, and back when disposed of: the fast gradient method on embeddings (Miyato,
/// Dai and Goodfellow 2017, "Adversarial training methods for semi-supervised text classification"). Deviation 1: the table's rows are moved,
/// not each text's own embeddings, so all texts of a step share the move and ε bounds the norm of the whole.
/// Deviation 2: embeddings are not normalised first.
/// </summary>
public sealed class EmbeddingPerturbation : IDisposable
{
    private const string Embedding = "model.embed_tokens.weight";
    private readonly Tensor _weight;
    private readonly Tensor _before;

    /// <param name="model">Holds the gradient of the loss that is to grow.</param>
    /// <param name="epsilon">ε.</param>
    public EmbeddingPerturbation(LlamaModel model, double epsilon)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        _weight = model.Parameters[Embedding];
        _before = _weight.detach().clone().DetachFromDisposeScope();
        Tensor gradient = model.Parameters.GradientOf(Embedding);
        double norm = gradient.norm().cpu().to(ScalarType.Float64).item<double>();
        // No gradient, or a broken one that the optimiser will name: nothing to move along.
        if (norm > 0 && double.IsFinite(norm)) _weight.add_(gradient, epsilon / norm);
    }

    /// <summary>The weights are bit for bit as before.</summary>
    public void Dispose()
    {
        using IDisposable noGrad = no_grad();
        _weight.copy_(_before);
        _before.Dispose();
    }
}

using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// The output layer of a Q head, Q(s, ·) = f·W + b, in chunks of rows with the analytic gradient: with c the taken action and l = log Σ_a exp Q(s, a),
/// ∂L/∂Q(s, ·) = ∂L/∂Q(s, c) · 1_c + ∂L/∂l · softmax(Q). No [tokens, vocabulary] tensor beyond a chunk.
/// </summary>
/// <param name="weight">[features, vocabulary]; all tensors are the caller's.</param>
/// <param name="bias">[vocabulary]</param>
/// <param name="weightGradient">As the weight; null: not trained.</param>
/// <param name="biasGradient">As the bias; null: not trained.</param>
/// <param name="chunkRows">Rows at once.</param>
public sealed class ActionValueHead(Tensor weight, Tensor bias, Tensor? weightGradient = null, Tensor? biasGradient = null, int chunkRows = 512)
{
    /// <summary>Q of all actions: [rows, features] to [rows, vocabulary]; without autograd.</summary>
    public Tensor All(Tensor features)
    {
        using IDisposable noGrad = no_grad();
        return features.matmul(weight).add_(bias);
    }

    /// <summary>Q of the taken actions, and log Σ exp Q; without autograd.</summary>
    /// <param name="features">[tokens, features], detached.</param>
    /// <param name="actions">[tokens] int64.</param>
    public (double[] Chosen, double[] LogSumExp) Forward(Tensor features, Tensor actions)
    {
        using IDisposable noGrad = no_grad();
        int tokens = (int)features.shape[0];
        double[] chosen = new double[tokens], sums = new double[tokens];
        for (int start = 0; start < tokens; start += chunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            int rows = Math.Min(chunkRows, tokens - start);
            Tensor q = All(features.narrow(0, start, rows)); // [rows, vocabulary]
            Copy(q.gather(1, actions.narrow(0, start, rows).unsqueeze(1)), chosen.AsSpan(start, rows));
            Copy(q.logsumexp(1), sums.AsSpan(start, rows));
        }

        return (chosen, sums);
    }

    /// <summary>Adds to the gradients of weight and bias; returns ∂L/∂f [tokens, features].</summary>
    /// <param name="features">[tokens, features], detached.</param>
    /// <param name="actions">[tokens] int64.</param>
    /// <param name="chosenGradient">[tokens] ∂L/∂Q(s, c).</param>
    /// <param name="logSumExpGradient">[tokens] ∂L/∂l.</param>
    public Tensor Backward(Tensor features, Tensor actions, double[] chosenGradient, double[] logSumExpGradient)
    {
        using IDisposable noGrad = no_grad();
        int tokens = (int)features.shape[0];
        Tensor result = empty_like(features);
        for (int start = 0; start < tokens; start += chunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            int rows = Math.Min(chunkRows, tokens - start);
            Tensor part = features.narrow(0, start, rows);
            Tensor gradient = All(part).softmax(1).mul_(Column(logSumExpGradient.AsSpan(start, rows), features)); // ∂L/∂Q [rows, vocabulary]
            gradient.scatter_add_(1, actions.narrow(0, start, rows).unsqueeze(1), Column(chosenGradient.AsSpan(start, rows), features));
            weightGradient?.addmm_(part.t(), gradient);
            biasGradient?.add_(gradient.sum([0L]));
            result.narrow(0, start, rows).copy_(gradient.matmul(weight.t()));
        }

        return result;
    }

    private static Tensor Column(ReadOnlySpan<double> values, Tensor like) => tensor(values.ToArray(), values.Length, 1).to(like.dtype).to(like.device);

    private static void Copy(Tensor source, Span<double> destination)
    {
        using Tensor host = source.to(ScalarType.Float64).cpu().contiguous();
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, double>(host.bytes).CopyTo(destination);
    }
}

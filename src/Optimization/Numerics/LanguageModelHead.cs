using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// log π(a|s) = z_a/T − logsumexp(z/T) and H = logsumexp(z/T) − Σ p·z/T for logits z = h·W, in chunks of rows, with the analytic
/// gradient instead of autograd, so that no [tokens, vocabulary] tensor larger than a chunk is kept beyond the budget:
/// ∂L/∂z = (1/T) · ( ∂L/∂log π · (1ₐ − p) − ∂L/∂H · p ∘ (log p + H) + ∂L/∂KL · p ∘ (log p − log q − KL) ), KL = Σ p (log p − log q) to a reference q.
/// </summary>
public sealed class LanguageModelHead(Tensor weight, Tensor? weightGradient, bool tied, int chunkRows = 512, long keepBytes = 256L << 20)
{
    // weight: tied [vocabulary, hidden] (the embedding), else [hidden, vocabulary]; the gradient has the weight's shape. Both are borrowed.
    private Tensor Logits(Tensor rows) => tied ? rows.matmul(weight.t()) : rows.matmul(weight);

    private long Vocabulary => tied ? weight.shape[0] : weight.shape[1];

    /// <summary>Log-probs (and entropies) of the targets, without autograd.</summary>
    /// <param name="hidden">[tokens, hidden], detached.</param>
    /// <param name="targets">[tokens] int64.</param>
    /// <param name="temperature">The sampling temperature T &gt; 0.</param>
    /// <param name="withEntropy">Fill <see cref="HeadForward.Entropies"/>.</param>
    /// <param name="forBackward">Keep softmax chunks for <see cref="Backward"/> while they fit the budget; else they are computed again.</param>
    /// <param name="reference">q, for <see cref="HeadForward.FullKl"/>; null: not wanted.</param>
    public HeadForward Forward(Tensor hidden, Tensor targets, double temperature, bool withEntropy, bool forBackward, ReferenceStates? reference = null)
    {
        using IDisposable noGrad = no_grad();
        int tokens = (int)hidden.shape[0];
        bool keep = forBackward && tokens * Vocabulary * sizeof(float) <= keepBytes;
        var result = new HeadForward(hidden, targets, temperature, new float[tokens], withEntropy ? new float[tokens] : [], keep ? [] : null) { Reference = reference, FullKl = reference is null ? [] : new float[tokens] };
        for (int start = 0; start < tokens; start += chunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            int rows = Math.Min(chunkRows, tokens - start);
            Tensor logProbs = ScaledLogits(hidden, start, rows, temperature).log_softmax(-1); // [rows, vocabulary]
            Tensor chosen = logProbs.gather(1, targets.narrow(0, start, rows).unsqueeze(1)); // [rows, 1]
            CopyTo(chosen, result.LogProbs.AsSpan(start, rows));
            if (!withEntropy && !keep && reference is null) continue;
            Tensor probs = logProbs.exp();
            if (reference is not null) CopyTo(logProbs.sub(reference.LogProbs(start, rows, temperature)).mul_(probs).sum(-1), result.FullKl.AsSpan(start, rows));
            if (withEntropy) CopyTo(logProbs.mul_(probs).sum(-1).neg_(), result.Entropies.AsSpan(start, rows));
            if (keep) result.Kept!.Add(probs.MoveToOuterDisposeScope());
        }

        return result;
    }

    /// <summary>Adds ∂L/∂W to the weight's gradient and returns ∂L/∂h [tokens, hidden]. Consumes the kept chunks.</summary>
    /// <param name="forward">What <see cref="Forward"/> returned with <c>forBackward</c>.</param>
    /// <param name="logProbGradient">[tokens] ∂L/∂log π.</param>
    /// <param name="entropyGradient">[tokens] ∂L/∂H, or empty.</param>
    /// <param name="klGradient">[tokens] ∂L/∂KL to the reference of the forward pass, or empty.</param>
    public Tensor Backward(HeadForward forward, ReadOnlySpan<float> logProbGradient, ReadOnlySpan<float> entropyGradient, ReadOnlySpan<float> klGradient = default)
    {
        using IDisposable noGrad = no_grad();
        Tensor hidden = forward.Hidden;
        int tokens = (int)hidden.shape[0];
        Tensor hiddenGradient = empty_like(hidden);
        for (int start = 0, chunk = 0; start < tokens; start += chunkRows, chunk++)
        {
            using DisposeScope scope = NewDisposeScope();
            int rows = Math.Min(chunkRows, tokens - start);
            Tensor probs = forward.Kept is { } kept
                ? kept[chunk]
                : ScaledLogits(hidden, start, rows, forward.Temperature).softmax(-1);
            Tensor gradient = Column(logProbGradient.Slice(start, rows), hidden, 1 / forward.Temperature); // [rows, 1]
            Tensor targets = forward.Targets.narrow(0, start, rows).unsqueeze(1);
            Tensor logits; // ∂L/∂z [rows, vocabulary]
            if (entropyGradient.IsEmpty && klGradient.IsEmpty)
            {
                logits = probs.mul_(gradient.neg());
            }
            else
            {
                // p·log p is 0 at p = 0: the clamp keeps log finite there.
                Tensor logProbs = probs.clamp_min(1e-38f).log_(), inner = zeros_like(logProbs).add_(gradient); // ∂L/∂z = −p ∘ inner off the target
                if (!entropyGradient.IsEmpty)
                {
                    Tensor entropies = Column(forward.Entropies.AsSpan(start, rows), hidden, 1);
                    inner.add_(logProbs.add(entropies).mul_(Column(entropyGradient.Slice(start, rows), hidden, 1 / forward.Temperature)));
                }

                if (!klGradient.IsEmpty)
                {
                    Tensor kl = Column(forward.FullKl.AsSpan(start, rows), hidden, 1);
                    Tensor toReference = logProbs.sub_(forward.Reference!.LogProbs(start, rows, forward.Temperature)).sub_(kl);
                    inner.sub_(toReference.mul_(Column(klGradient.Slice(start, rows), hidden, 1 / forward.Temperature)));
                }

                logits = probs.mul_(inner).neg_();
            }

            logits.scatter_add_(1, targets, gradient);
            Tensor rowsHidden = hidden.narrow(0, start, rows);
            if (weightGradient is not null)
            {
                if (tied) weightGradient.addmm_(logits.t(), rowsHidden);
                else weightGradient.addmm_(rowsHidden.t(), logits);
            }

            hiddenGradient.narrow(0, start, rows).copy_(tied ? logits.matmul(weight) : logits.matmul(weight.t()));
        }

        forward.DisposeKept();
        return hiddenGradient;
    }

    internal Tensor ScaledLogits(Tensor hidden, int start, int rows, double temperature)
    {
        Tensor logits = Logits(hidden.narrow(0, start, rows));
        return temperature == 1 ? logits : logits.div_(temperature);
    }

    private static Tensor Column(ReadOnlySpan<float> values, Tensor like, double scale)
    {
        Tensor column = tensor(values.ToArray(), values.Length, 1).to(like.device).to(like.dtype);
        return scale == 1 ? column : column.mul_(scale);
    }

    private static void CopyTo(Tensor source, Span<float> destination)
    {
        using Tensor host = source.to(ScalarType.Float32).cpu().contiguous();
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination);
    }
}

/// <summary>Log-probs of one forward pass of the head and what its backward needs.</summary>
/// <param name="Hidden">[tokens, hidden], detached.</param>
/// <param name="Targets">[tokens] int64.</param>
/// <param name="Temperature">The sampling temperature.</param>
/// <param name="LogProbs">[tokens] nats.</param>
/// <param name="Entropies">[tokens] nats; empty when not asked for.</param>
/// <param name="Kept">Softmax chunks, or null when they are computed again.</param>
public sealed record HeadForward(Tensor Hidden, Tensor Targets, double Temperature, float[] LogProbs, float[] Entropies, List<Tensor>? Kept)
{
    /// <summary>What q is computed from again in the backward pass, or null.</summary>
    public ReferenceStates? Reference { get; init; }

    /// <summary>[tokens] KL(p‖q) of the whole next-token distribution, nats; empty without a reference.</summary>
    public float[] FullKl { get; init; } = [];

    internal void DisposeKept()
    {
        if (Kept is null) return;
        foreach (Tensor chunk in Kept) chunk.Dispose();
        Kept.Clear();
    }
}

/// <summary>The reference policy's last hidden states of the same tokens, from which its distribution is computed chunk by chunk.</summary>
/// <param name="Head">The reference's head.</param>
/// <param name="Hidden">[tokens, hidden].</param>
public sealed record ReferenceStates(LanguageModelHead Head, Tensor Hidden)
{
    internal Tensor LogProbs(int start, int rows, double temperature) => Head.ScaledLogits(Hidden, start, rows, temperature).log_softmax(-1);
}

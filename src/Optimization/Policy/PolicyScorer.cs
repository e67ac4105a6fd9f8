using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>Re-scores responses with the trainer's own weights: log-probs, entropies, values and exact KL to a reference, without autograd.</summary>
/// <param name="policy">Whose log-probs.</param>
/// <param name="critic">A separate value model, or null.</param>
/// <param name="microBatchTokens">Most tokens of one pass, padding included.</param>
/// <param name="temperature">The sampling temperature.</param>
/// <param name="device">Where the models are.</param>
/// <param name="reference">For the exact KL; null: none.</param>
public sealed class PolicyScorer(LlamaModel policy, LlamaModel? critic, int microBatchTokens, double temperature, Device device, LlamaModel? reference = null)
{
    private readonly LanguageModelHead _head = ModelParts.Head(policy, trainable: false);
    private readonly LanguageModelHead? _referenceHead = reference is null ? null : ModelParts.Head(reference, trainable: false);

    /// <param name="sequences">The responses with their prompts.</param>
    /// <param name="offsets">[responses + 1] of the flat outputs.</param>
    /// <param name="logProbs">[tokens] nats at the sampling temperature.</param>
    /// <param name="entropies">[tokens] nats, or empty.</param>
    /// <param name="values">[tokens], or empty when no value is wanted.</param>
    /// <param name="fullKl">[tokens] exact KL to the reference, or empty.</param>
    public void Score(
        IReadOnlyList<TrainingSequence> sequences, ReadOnlySpan<int> offsets, Span<double> logProbs, Span<double> entropies, Span<double> values, Span<double> fullKl = default)
    {
        using IDisposable noGrad = no_grad();
        foreach (int[] rows in CollatedBatch.CutByTokens([.. sequences.Select(s => s.Tokens.Length)], microBatchTokens))
        {
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch batch = CollatedBatch.Create([.. rows.Select(r => sequences[r])], device);
            Tensor chosen = States(policy, batch);
            HeadForward forward = _head.Forward(chosen, batch.Targets, temperature, !entropies.IsEmpty, forBackward: false,
                fullKl.IsEmpty ? null : new ReferenceStates(_referenceHead!, States(reference!, batch)));
            float[] predicted = values.IsEmpty ? [] : HostFloats(ValuesOf(batch, chosen));
            for (int i = 0; i < rows.Length; i++)
            {
                int from = batch.Offsets[i], count = batch.Offsets[i + 1] - from, to = offsets[rows[i]];
                for (int t = 0; t < count; t++)
                {
                    logProbs[to + t] = forward.LogProbs[from + t];
                    if (!entropies.IsEmpty) entropies[to + t] = forward.Entropies[from + t];
                    if (!values.IsEmpty) values[to + t] = predicted[from + t];
                    if (!fullKl.IsEmpty) fullKl[to + t] = forward.FullKl[from + t];
                }
            }
        }
    }

    private Tensor ValuesOf(CollatedBatch batch, Tensor policyStates)
    {
        if (critic is null) return policy.Values(policyStates);
        return critic.Values(States(critic, batch));
    }

    /// <summary>[tokens, hidden] the last hidden states that predict the batch's response tokens.</summary>
    internal static Tensor States(LlamaModel model, CollatedBatch batch)
    {
        Tensor states = model.Hidden(batch.Inputs); // [batch, time, hidden]
        return states.reshape(-1, states.shape[2]).index_select(0, batch.Positions);
    }

    internal static float[] HostFloats(Tensor tensor)
    {
        using Tensor host = tensor.detach().to(ScalarType.Float32).cpu().contiguous();
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(host.bytes).ToArray();
    }
}

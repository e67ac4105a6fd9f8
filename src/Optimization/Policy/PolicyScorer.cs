using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>Re-scores responses with the trainer's own weights: log-probs, entropies and values, without autograd.</summary>
public sealed class PolicyScorer(LlamaModel policy, LlamaModel? critic, int microBatchTokens, double temperature, Device device)
{
    private readonly LanguageModelHead _head = ModelParts.Head(policy, trainable: false);

    /// <param name="sequences">The responses with their prompts.</param>
    /// <param name="offsets">[responses + 1] of the flat outputs.</param>
    /// <param name="logProbs">[tokens] nats at the sampling temperature.</param>
    /// <param name="entropies">[tokens] nats, or empty.</param>
    /// <param name="values">[tokens], or empty when no value is wanted.</param>
    public void Score(IReadOnlyList<TrainingSequence> sequences, ReadOnlySpan<int> offsets, Span<double> logProbs, Span<double> entropies, Span<double> values)
    {
        using IDisposable noGrad = no_grad();
        foreach (int[] rows in CollatedBatch.CutByTokens([.. sequences.Select(s => s.Tokens.Length)], microBatchTokens))
        {
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch batch = CollatedBatch.Create([.. rows.Select(r => sequences[r])], device);
            Tensor states = policy.Hidden(batch.Inputs);
            Tensor chosen = states.reshape(-1, states.shape[2]).index_select(0, batch.Positions); // [tokens, hidden]
            HeadForward forward = _head.Forward(chosen, batch.Targets, temperature, !entropies.IsEmpty, forBackward: false);
            float[] predicted = values.IsEmpty ? [] : HostFloats(ValuesOf(batch, chosen));
            for (int i = 0; i < rows.Length; i++)
            {
                int from = batch.Offsets[i], count = batch.Offsets[i + 1] - from, to = offsets[rows[i]];
                for (int t = 0; t < count; t++)
                {
                    logProbs[to + t] = forward.LogProbs[from + t];
                    if (!entropies.IsEmpty) entropies[to + t] = forward.Entropies[from + t];
                    if (!values.IsEmpty) values[to + t] = predicted[from + t];
                }
            }
        }
    }

    private Tensor ValuesOf(CollatedBatch batch, Tensor policyStates)
    {
        if (critic is null) return policy.Values(policyStates);
        Tensor states = critic.Hidden(batch.Inputs);
        return critic.Values(states.reshape(-1, states.shape[2]).index_select(0, batch.Positions));
    }

    internal static float[] HostFloats(Tensor tensor)
    {
        using Tensor host = tensor.detach().to(ScalarType.Float32).cpu().contiguous();
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(host.bytes).ToArray();
    }
}

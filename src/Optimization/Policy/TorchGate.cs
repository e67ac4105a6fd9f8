using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>The trainer's side of the equality gate.</summary>
public sealed class TorchGate(LlamaModel model) : IGateReference
{
    private const int ProbeRows = 4, ProbeTokens = 48;

    /// <summary>Token rows at addressed random: every iteration is held against the same probes.</summary>
    public static IReadOnlyList<long[]> Probes(LlamaConfig config, ulong seed)
    {
        int length = Math.Min(ProbeTokens, config.MaxPositionEmbeddings);
        return
        [
            .. Enumerable.Range(0, ProbeRows).Select(row => Enumerable.Range(0, length)
                .Select(t => (long)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Probe, (uint)row, (uint)t) * config.VocabSize)).ToArray()),
        ];
    }

    /// <inheritdoc/>
    public float[] Logits(ReadOnlySpan<long> tokens)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return PolicyScorer.HostFloats(model.Logits(model.Hidden(tensor(tokens.ToArray(), 1, tokens.Length).to(model.Device))));
    }

    /// <inheritdoc/>
    public IReadOnlyList<float[]> HiddenStates(ReadOnlySpan<long> tokens)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return [.. model.Residuals(tensor(tokens.ToArray(), 1, tokens.Length).to(model.Device)).Select(PolicyScorer.HostFloats)];
    }
}

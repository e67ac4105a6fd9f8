using Rlhf.Export;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>A policy with Q heads as an ONNX folder whose logits are log π + β · min(Q₁, Q₂) up to a constant: any engine decodes it as a plain policy.</summary>
public static class IlqlExport
{
    /// <summary>Writes the folder and holds it against torch.</summary>
    /// <param name="model">The policy.</param>
    /// <param name="heads">Its heads, on the same device.</param>
    /// <param name="beta">β of decoding.</param>
    /// <param name="tokenizerFrom">Folder with the tokenizer's files.</param>
    /// <param name="to">ONNX folder.</param>
    /// <exception cref="Core.NumericalException">ONNX and torch differ.</exception>
    public static GateResult Write(LlamaModel model, IlqlHeads heads, double beta, string tokenizerFrom, string to)
    {
        var weights = new Weights(model, heads, beta);
        // The scorer would give log-probs of the policy without its Q heads: of nothing that is drawn.
        OnnxExporter.ExportPolicy(weights, tokenizerFrom, to, new ExportOptions { Scorer = false });
        return EqualityGate.Check(to, weights.Shape, TorchGate.Probes(model.Config, 0), new Reference(model, heads, beta));
    }

    /// <summary>What is added to the logits: [rows, hidden] to [rows, vocabulary].</summary>
    public static Func<Tensor, Tensor> Shift(IlqlHeads heads, double beta) => states => heads.Least(states).mul_(beta);

    private sealed class Weights(LlamaModel model, IlqlHeads heads, double beta) : IModelWeights
    {
        private readonly LlamaWeights _policy = new(model);
        private float[] _buffer = [];

        public ModelShape Shape { get; } = LlamaWeights.ShapeOf(model.Config) with { ActionValueBeta = beta };

        public ReadOnlySpan<float> Get(string name) => heads.Parameters.Contains(name) ? heads.Parameters.Host(name, ref _buffer) : _policy.Get(name);
    }

    private sealed class Reference(LlamaModel model, IlqlHeads heads, double beta) : IGateReference
    {
        private readonly TorchGate _policy = new(model);

        public float[] Logits(ReadOnlySpan<long> tokens)
        {
            using IDisposable noGrad = no_grad();
            using DisposeScope scope = NewDisposeScope();
            Tensor states = model.Hidden(tensor(tokens.ToArray(), 1, tokens.Length).to(model.Device)).squeeze(0);
            return PolicyScorer.HostFloats(model.Logits(states).add(Shift(heads, beta)(states)));
        }

        public IReadOnlyList<float[]> HiddenStates(ReadOnlySpan<long> tokens) => _policy.HiddenStates(tokens);
    }
}

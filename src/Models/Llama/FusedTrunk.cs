using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// The trunk of <see cref="LlamaTrunk"/> for float32 on the CPU with a backward pass of its own: large products go to the BLAS and add
/// straight into the flat gradient, everything between them is one pass over memory, attention weights are never stored, and no buffer is
/// new. To autograd it is one node: gradients reach the parameters' <c>grad</c> views when the hidden states' gradient is handed to
/// <c>backward</c>, once; <c>autograd.grad</c> and second derivatives need <see cref="LlamaTrunk"/>.
/// </summary>
internal sealed unsafe class FusedTrunk : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly ParameterStore _store;
    private readonly LlamaLayerWeights[] _weights;
    private readonly RotaryTables _rotary;
    private readonly WorkspacePool _pool = new();

    public FusedTrunk(LlamaConfig config, ParameterStore store)
    {
        _config = config;
        _store = store;
        _weights = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new LlamaLayerWeights(store, i))];
        _rotary = new RotaryTables(config.HeadDim, config.RopeTheta, ScalarType.Float32, CPU);
    }

    /// <summary>True: this path can compute the model (float32, CPU, hidden and head sizes that are multiples of 8, no biases).</summary>
    public static bool Supports(LlamaConfig config, ParameterStore store) =>
        store.Dtype == ScalarType.Float32 && store.Device.type == DeviceType.CPU && !config.AttentionBias
        && CausalAttention.Supports(config.HeadDim) && config.HiddenSize % 8 == 0;

    /// <summary>[batch, time] ids to [batch, time, hidden], normed. The caller (or its scope) owns the result.</summary>
    public Tensor Forward(Tensor ids)
    {
        bool record = is_grad_enabled() && _store.Trainable;
        return record ? FusedTrunkFunction.apply(_store[LlamaParameters.Embedding], ids, this) : Run(ids, null);
    }

    public void Dispose()
    {
        _rotary.Dispose();
        _pool.Dispose();
    }

    /// <summary>The forward pass; <paramref name="pass"/> keeps what the backward pass needs, or is null.</summary>
    internal Tensor Run(Tensor ids, FusedPass? pass)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        int batch = (int)ids.shape[0], time = (int)ids.shape[1], rows = batch * time;
        long hidden = _config.HiddenSize, query = _config.QueryWidth, key = _config.KeyValueWidth, inner = _config.IntermediateSize;
        int kept = pass is null ? 1 : _config.NumHiddenLayers;
        long layerNeed = (4 * Workspace.Need(rows, hidden)) + (2 * Workspace.Need(rows, query)) + (2 * Workspace.Need(rows, key))
            + (2 * Workspace.Need(rows, inner)) + (2 * Workspace.Need(rows, 1)) + Workspace.Need(rows, _config.NumAttentionHeads);
        Workspace space = _pool.Rent((kept * layerNeed) + Workspace.Need(rows, hidden) + Workspace.Need(rows, 1));
        Workspace scratch = _pool.Rent(Workspace.Need(rows, inner));
        LayerStates[] states = [.. Enumerable.Range(0, kept).Select(_ => new LayerStates(space, _config, rows))];
        Matrix last = space.Take(rows, hidden), lastInverse = space.Take(rows, 1), product = scratch.Take(rows, inner);
        var attention = new CausalAttention(batch, time, _config.NumAttentionHeads, _config.NumKeyValueHeads, _config.HeadDim);
        (Tensor cosine, Tensor sine) = _rotary.Upto(time);
        float* cos = Address(cosine), sin = Address(sine);
        int[] tokens = Tokens(ids);
        Embed(tokens, states[0].X.Data);
        for (int i = 0; i < _config.NumHiddenLayers; i++)
        {
            LayerStates s = states[i % kept];
            LlamaLayerWeights w = _weights[i];
            RmsNormKernel.Forward(s.X.Data, Address(w.InputNorm), s.Normed1.Data, s.Inverse1.Data, rows, (int)hidden, _config.RmsNormEps);
            Tensor normed = s.Normed1.View();
            Product(s.Query.View(), normed, w.Query);
            Product(s.Key.View(), normed, w.Key);
            Product(s.Value.View(), normed, w.Value);
            RotaryKernel.Apply(s.Query.Data, cos, sin, rows, time, _config.NumAttentionHeads, _config.HeadDim, QueryScale, back: false);
            RotaryKernel.Apply(s.Key.Data, cos, sin, rows, time, _config.NumKeyValueHeads, _config.HeadDim, 1, back: false);
            attention.Forward(s.Query.Data, s.Key.Data, s.Value.Data, s.Mixed.Data, s.LogSum.Data);
            Copy(s.X.Data, s.Middle.Data, rows * hidden);
            s.Middle.View().addmm_(s.Mixed.View(), w.Output);
            RmsNormKernel.Forward(s.Middle.Data, Address(w.PostNorm), s.Normed2.Data, s.Inverse2.Data, rows, (int)hidden, _config.RmsNormEps);
            normed = s.Normed2.View();
            Product(s.Gate.View(), normed, w.Gate);
            Product(s.Up.View(), normed, w.Up);
            SwiGluKernel.Forward(s.Gate.Data, s.Up.Data, product.Data, rows * inner);
            Matrix next = i + 1 == _config.NumHiddenLayers ? last : states[(i + 1) % kept].X;
            Copy(s.Middle.Data, next.Data, rows * hidden);
            next.View().addmm_(product.View(), w.Down);
        }

        Tensor result = empty([batch, time, hidden], ScalarType.Float32);
        RmsNormKernel.Forward(last.Data, Address(_store[LlamaParameters.FinalNorm]), Address(result), lastInverse.Data, rows, (int)hidden, _config.RmsNormEps);
        _pool.Return(scratch);
        if (pass is null) _pool.Return(space);
        else pass.Fill(space, states, last, lastInverse, tokens, batch, time);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of all trunk parameters for ∂L/∂hidden.</summary>
    internal void Backward(FusedPass pass, Tensor hiddenGradient)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        int rows = pass.Batch * pass.Time, hidden = _config.HiddenSize;
        long query = _config.QueryWidth, key = _config.KeyValueWidth, inner = _config.IntermediateSize;
        Workspace scratch = _pool.Rent((2 * Workspace.Need(rows, hidden)) + (2 * Workspace.Need(rows, query)) + (2 * Workspace.Need(rows, key)) + Workspace.Need(rows, inner));
        Matrix residual = scratch.Take(rows, hidden), normed = scratch.Take(rows, hidden), mixed = scratch.Take(rows, query);
        Matrix queries = scratch.Take(rows, query), keys = scratch.Take(rows, key), values = scratch.Take(rows, key), product = scratch.Take(rows, inner);
        var attention = new CausalAttention(pass.Batch, pass.Time, _config.NumAttentionHeads, _config.NumKeyValueHeads, _config.HeadDim);
        (Tensor cosine, Tensor sine) = _rotary.Upto(pass.Time);
        float* cos = Address(cosine), sin = Address(sine);
        float* incoming = Address(hiddenGradient.contiguous());
        Norm(pass.Last, LlamaParameters.FinalNorm, pass.LastInverse, incoming, residual.Data, rows, add: false);
        Tensor stream = residual.View();
        for (int i = _config.NumHiddenLayers - 1; i >= 0; i--)
        {
            LayerStates s = pass.States[i];
            LlamaLayerWeights w = _weights[i];
            Product(product.View(), stream, w.Down.t());
            SwiGluKernel.Backward(s.Gate.Data, s.Up.Data, product.Data, rows * inner);
            Add(i, "mlp.down_proj.weight", product.View(), stream);
            Add(i, "mlp.gate_proj.weight", s.Normed2.View(), s.Gate.View());
            Add(i, "mlp.up_proj.weight", s.Normed2.View(), s.Up.View());
            Product(normed.View(), s.Gate.View(), w.Gate.t());
            normed.View().addmm_(s.Up.View(), w.Up.t());
            Norm(s.Middle, LlamaParameters.OfLayer(i, "post_attention_layernorm.weight"), s.Inverse2, normed.Data, residual.Data, rows, add: true);
            Product(mixed.View(), stream, w.Output.t());
            Add(i, "self_attn.o_proj.weight", s.Mixed.View(), stream);
            attention.Backward(s.Query.Data, s.Key.Data, s.Value.Data, s.LogSum.Data, mixed.Data, queries.Data, keys.Data, values.Data);
            RotaryKernel.Apply(queries.Data, cos, sin, rows, pass.Time, _config.NumAttentionHeads, _config.HeadDim, QueryScale, back: true);
            RotaryKernel.Apply(keys.Data, cos, sin, rows, pass.Time, _config.NumKeyValueHeads, _config.HeadDim, 1, back: true);
            Add(i, "self_attn.q_proj.weight", s.Normed1.View(), queries.View());
            Add(i, "self_attn.k_proj.weight", s.Normed1.View(), keys.View());
            Add(i, "self_attn.v_proj.weight", s.Normed1.View(), values.View());
            Product(normed.View(), queries.View(), w.Query.t());
            normed.View().addmm_(keys.View(), w.Key.t());
            normed.View().addmm_(values.View(), w.Value.t());
            Norm(s.X, LlamaParameters.OfLayer(i, "input_layernorm.weight"), s.Inverse1, normed.Data, residual.Data, rows, add: true);
        }

        EmbedBackward(pass.Tokens, residual.Data);
        _pool.Return(scratch);
        _pool.Return(pass.Finish());
    }

    private float QueryScale => (float)(1 / Math.Sqrt(_config.HeadDim));

    /// <summary>target = a·b, whatever target held.</summary>
    private static void Product(Tensor target, Tensor a, Tensor b) => target.addmm_(a, b, beta: 0, alpha: 1);

    /// <summary>∂L/∂W += xᵀ·g.</summary>
    private void Add(int layer, string part, Tensor x, Tensor gradient) => _store.GradientOf(LlamaParameters.OfLayer(layer, part)).addmm_(x.t(), gradient);

    private void Norm(Matrix x, string name, Matrix inverse, float* gradient, float* xGradient, int rows, bool add) =>
        RmsNormKernel.Backward(x.Data, Address(_store[name]), inverse.Data, gradient, xGradient, Address(_store.GradientOf(name)), rows, _config.HiddenSize, add);

    private void Embed(int[] tokens, float* target)
    {
        float* table = Address(_store[LlamaParameters.Embedding]);
        for (int i = 0; i < tokens.Length; i++) Copy(table + ((long)tokens[i] * _config.HiddenSize), target + ((long)i * _config.HiddenSize), _config.HiddenSize);
    }

    private void EmbedBackward(int[] tokens, float* gradient)
    {
        float* table = Address(_store.GradientOf(LlamaParameters.Embedding));
        for (int i = 0; i < tokens.Length; i++)
        {
            var row = new Span<float>(table + ((long)tokens[i] * _config.HiddenSize), _config.HiddenSize);
            System.Numerics.Tensors.TensorPrimitives.Add(row, new ReadOnlySpan<float>(gradient + ((long)i * _config.HiddenSize), _config.HiddenSize), row);
        }
    }

    private int[] Tokens(Tensor ids)
    {
        ReadOnlySpan<long> values = MemoryMarshal.Cast<byte, long>(ids.to(ScalarType.Int64, CPU).contiguous().bytes);
        int[] tokens = new int[values.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (values[i] < 0 || values[i] >= _config.VocabSize)
                throw new ArgumentException($"Token {values[i]} at place {i} is not in 0..{_config.VocabSize - 1}, the model's vocabulary.", nameof(ids));
            tokens[i] = (int)values[i];
        }

        return tokens;
    }

    private static void Copy(float* source, float* target, long count) => Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));

    /// <summary>The memory of a contiguous tensor whose owner outlives the use.</summary>
    private static float* Address(Tensor tensor)
    {
        fixed (byte* address = tensor.detach().view(-1).narrow(0, 0, 1).bytes) return (float*)address;
    }
}

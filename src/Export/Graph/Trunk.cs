using Rlhf.Export.Onnx;
using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// The Llama trunk in nodes: embedding, then per layer RMSNorm, grouped-query attention with rotary positions, RMSNorm and SwiGLU, each
/// with its residual. The residual stream stays split in (sum, last addend) so that every addition is fused with the norm that follows.
/// With <see cref="GraphStyle.WeightsLeft"/> activations are [tokens, width] between the attentions, otherwise [batch, sequence, width].
/// </summary>
internal sealed class Trunk(GraphBuilder graph, WeightMap map, GraphStyle style)
{
    private readonly ModelShape _shape = map.Shape;
    private string _rows = ""; // int64 [2]: batch, sequence

    /// <summary>True: past and present keys and values are inputs and outputs, for decoding step by step.</summary>
    public bool Cache { get; init; }

    /// <summary>int32 [batch]: tokens of each row seen so far, this call's included, minus one.</summary>
    public required string SequenceLengthsMinusOne { get; init; }

    /// <summary>int32 scalar: the longest row so far, this call's tokens included.</summary>
    public required string TotalLength { get; init; }

    /// <summary>
    /// Keeps only the rows that the head will read, as [rows, width] from [batch, sequence, width]. Called between attention and output
    /// projection of the last layer: nothing behind it mixes positions, so the rest of the layer runs on these rows only.
    /// </summary>
    public Func<string, string, string>? SelectRows { get; init; }

    /// <summary>Stands for the last layer's attention: (its input) to [rows, heads · head size], already the rows of <see cref="SelectRows"/>.</summary>
    public Func<string, string>? LastAttention { get; init; }

    /// <summary>Called with (layer, residual stream after it): an extra output for finding where two engines part.</summary>
    public Action<int, string>? OnHidden { get; init; }

    /// <summary>Returns the hidden states after the final norm: [batch, sequence, hidden], or [rows, hidden] with <see cref="SelectRows"/>.</summary>
    public string Build(string inputIds)
    {
        string hidden = graph.Op("Gather", "/model/embed_tokens/Gather", [Weight(WeightMap.Embedding), inputIds]);
        if (style.WeightsLeft)
        {
            _rows = graph.Op("Shape", "/model/rows/Shape", [inputIds]);
            hidden = Flatten("/model/embed_tokens", hidden, _shape.HiddenSize);
        }

        OnHidden?.Invoke(-1, hidden);
        string normed = Norm("/model/layers.0/input_layernorm", hidden, "model.layers.0.input_layernorm.weight");
        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            string at = $"/model/layers.{layer}/", weights = $"model.layers.{layer}.";
            bool replaced = layer == _shape.Layers - 1 && LastAttention is not null;
            string attention = replaced ? LastAttention!(normed) : Attention(layer, at + "attn/", weights + "self_attn.", normed);
            if (layer == _shape.Layers - 1 && SelectRows is not null)
            {
                if (!replaced) attention = SelectRows(at + "attn/select", attention);
                hidden = SelectRows(at + "residual/select", style.WeightsLeft ? Unflatten(at + "residual", hidden, _shape.HiddenSize) : hidden);
                if (style.WeightsLeft) hidden = Flatten(at + "residual", hidden, _shape.HiddenSize);
            }

            if (style.WeightsLeft)
            {
                attention = Flatten(at + "attn", attention, _shape.Heads * _shape.PaddedHeadSize);
            }

            string projected = Linear(at + "attn/o_proj", attention, weights + "self_attn.o_proj", _shape.OutputBias);
            (normed, hidden) = SkipNorm(at + "post_attention_layernorm", hidden, projected, weights + "post_attention_layernorm.weight");
            string mlp = SwiGlu(at + "mlp/", weights + "mlp.", normed);
            bool last = layer == _shape.Layers - 1;
            (normed, hidden) = SkipNorm(
                last ? "/model/norm" : $"/model/layers.{layer + 1}/input_layernorm", hidden, mlp,
                last ? WeightMap.FinalNorm : $"model.layers.{layer + 1}.input_layernorm.weight");
            OnHidden?.Invoke(layer, hidden);
        }

        return normed;
    }

    private string Weight(string name) => style.WeightInputs ? graph.WeightInput(map[name], turned: false) : graph.Weight(map[name]);

    private string Flatten(string path, string value, int width) => graph.Op("Reshape", path + "/flatten/Reshape", [value, graph.Int64Vector(-1, width)]);

    private string Unflatten(string path, string value, int width)
    {
        string shape = graph.Op("Concat", path + "/unflatten/Concat", [_rows, graph.Int64Vector(width)], Int("axis", 0));
        return graph.Op("Reshape", path + "/unflatten/Reshape", [value, shape]);
    }

    /// <summary>Wᵀ·xᵀ: [tokens, in] to [out, tokens].</summary>
    private string Columns(string path, string weights, string input) =>
        graph.MicrosoftOp("FusedMatMul", path + "/FusedMatMul", [Turned(weights), input], Int("transB", 1));

    private string Turned(string weights) => graph.WeightInput(map[weights + ".weight"], turned: true);

    private string Turn(string path, string value) => graph.Op("Transpose", path + "/Transpose", [value], Ints("perm", 1, 0));

    private string Linear(string path, string input, string weights, bool bias)
    {
        if (style.WeightsLeft)
        {
            string rows = Turn(path, Columns(path, weights, input));
            return bias ? graph.Op("Add", path + "/Add", [rows, Weight(weights + ".bias")]) : rows;
        }

        string product = graph.Op("MatMul", path + "/MatMul", [input, Weight(weights + ".weight")]);
        return bias ? graph.Op("Add", path + "/Add", [product, Weight(weights + ".bias")]) : product;
    }

    private string Norm(string path, string input, string weight) =>
        graph.Op("SimplifiedLayerNormalization", path + "/LayerNorm", [input, Weight(weight)],
            Float("epsilon", _shape.NormEpsilon), Int("axis", -1), Int("stash_type", 1));

    private (string Normed, string Sum) SkipNorm(string path, string input, string skip, string weight)
    {
        string at = path + "/SkipLayerNorm";
        string sum = at + "/output_3";
        graph.Node("SkipSimplifiedLayerNormalization", at, MicrosoftDomain, [input, skip, Weight(weight)], [at + "/output_0", "", "", sum],
            Float("epsilon", _shape.NormEpsilon));
        return (at + "/output_0", sum);
    }

    private string Attention(int layer, string at, string weights, string normed)
    {
        bool bias = _shape.QueryKeyValueBias;
        string q, k = "", v = "";
        if (style.FusedQkv)
        {
            q = Linear(at + "qkv_proj", normed, weights + "qkv_proj", bias);
            if (style.ScaledQueries) q = graph.Op("Mul", at + "scale/Mul", [q, graph.Vector("/constants/query_factors", QueryFactors())]);
            if (style.WeightsLeft) q = Unflatten(at + "qkv_proj", q, (_shape.Heads + (2 * _shape.KeyValueHeads)) * _shape.PaddedHeadSize);
        }
        else
        {
            q = Linear(at + "q_proj", normed, weights + "q_proj", bias);
            k = Linear(at + "k_proj", normed, weights + "k_proj", bias);
            v = Linear(at + "v_proj", normed, weights + "v_proj", bias);
        }

        string pastKey = "", pastValue = "", presentKey = at + "present/key", presentValue = at + "present/value";
        if (Cache)
        {
            object[] past = ["batch_size", _shape.KeyValueHeads, "past_sequence_length", _shape.PaddedHeadSize];
            object[] present = ["batch_size", _shape.KeyValueHeads, "total_sequence_length", _shape.PaddedHeadSize];
            pastKey = graph.Input($"past_key_values.{layer}.key", ElementType.Float, past);
            pastValue = graph.Input($"past_key_values.{layer}.value", ElementType.Float, past);
            presentKey = $"present.{layer}.key";
            presentValue = $"present.{layer}.value";
            graph.Output(presentKey, presentKey, ElementType.Float, present);
            graph.Output(presentValue, presentValue, ElementType.Float, present);
        }

        return graph.Node("GroupQueryAttention", at + "GroupQueryAttention", MicrosoftDomain,
            [q, k, v, pastKey, pastValue, SequenceLengthsMinusOne, TotalLength, Weight(WeightMap.Cosines), Weight(WeightMap.Sines)],
            [at + "GroupQueryAttention/output_0", presentKey, presentValue],
            Int("num_heads", _shape.Heads), Int("kv_num_heads", _shape.KeyValueHeads), Int("do_rotary", 1), Int("rotary_interleaved", 0),
            Float("scale", style.ScaledQueries ? 1 : 1 / Math.Sqrt(_shape.HeadSize)));
    }

    /// <summary>1/√d for the columns of queries, 1 for those of keys and values.</summary>
    private float[] QueryFactors()
    {
        float[] factors = new float[(_shape.Heads + (2 * _shape.KeyValueHeads)) * _shape.PaddedHeadSize];
        Array.Fill(factors, 1);
        factors.AsSpan(0, _shape.Heads * _shape.PaddedHeadSize).Fill((float)(1 / Math.Sqrt(_shape.HeadSize)));
        return factors;
    }

    private string SwiGlu(string at, string weights, string normed)
    {
        string gate, up;
        if (style.WeightsLeft)
        {
            gate = Columns(at + "gate_proj", weights + "gate_proj", normed);
            up = Columns(at + "up_proj", weights + "up_proj", normed);
        }
        else if (style.FusedGateUp)
        {
            string both = graph.Op("MatMul", at + "gate_up_proj/MatMul", [normed, Weight(weights + "gate_up_proj.weight")]);
            gate = at + "split/output_0";
            up = at + "split/output_1";
            graph.Node("Split", at + "split", "", [both], [gate, up], Int("axis", -1), Int("num_outputs", 2));
        }
        else
        {
            gate = Linear(at + "gate_proj", normed, weights + "gate_proj", bias: false);
            up = Linear(at + "up_proj", normed, weights + "up_proj", bias: false);
        }

        string activated = style.QuickGelu
            ? graph.MicrosoftOp("QuickGelu", at + "act_fn/QuickGelu", [gate], Float("alpha", 1))
            : graph.Op("Mul", at + "act_fn/Mul", [gate, graph.Op("Sigmoid", at + "act_fn/Sigmoid", [gate])]);
        string inner = graph.Op("Mul", at + "Mul", [activated, up]);
        if (!style.WeightsLeft) return Linear(at + "down_proj", inner, weights + "down_proj", bias: false);
        return Turn(at + "down_proj", graph.Op("MatMul", at + "down_proj/MatMul", [Turned(weights + "down_proj"), inner]));
    }
}

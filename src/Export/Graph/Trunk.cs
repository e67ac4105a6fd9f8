using Rlhf.Export.Onnx;
using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// The Llama trunk in nodes: embedding, then per layer RMSNorm, grouped-query attention with rotary positions, RMSNorm and SwiGLU, each
/// with its residual. The residual stream stays split in (sum, last addend) so that every addition is fused with the norm that follows.
/// </summary>
internal sealed class Trunk(GraphBuilder graph, WeightMap map, GraphStyle style)
{
    private readonly ModelShape _shape = map.Shape;

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

    /// <summary>Called with (layer, residual stream after it): an extra output for finding where two engines part.</summary>
    public Action<int, string>? OnHidden { get; init; }

    /// <summary>Returns the hidden states after the final norm: [batch, sequence, hidden], or [rows, hidden] with <see cref="SelectRows"/>.</summary>
    public string Build(string inputIds)
    {
        string hidden = graph.Op("Gather", "/model/embed_tokens/Gather", [Weight(WeightMap.Embedding), inputIds]);
        OnHidden?.Invoke(-1, hidden);
        string normed = Norm("/model/layers.0/input_layernorm", hidden, "model.layers.0.input_layernorm.weight");
        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            string at = $"/model/layers.{layer}/", weights = $"model.layers.{layer}.";
            string attention = Attention(layer, at + "attn/", weights + "self_attn.", normed);
            if (layer == _shape.Layers - 1 && SelectRows is not null)
            {
                attention = SelectRows(at + "attn/select", attention);
                hidden = SelectRows(at + "residual/select", hidden);
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

    private string Weight(string name) => graph.Weight(map[name]);

    private string Linear(string path, string input, string weights, bool bias)
    {
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
            Float("scale", 1 / Math.Sqrt(_shape.HeadSize)));
    }

    private string SwiGlu(string at, string weights, string normed)
    {
        string gate, up;
        if (style.FusedGateUp)
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
        return Linear(at + "down_proj", graph.Op("Mul", at + "Mul", [activated, up]), weights + "down_proj", bias: false);
    }
}

using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>The parameters of one layer, looked up once. Owned by the store.</summary>
internal sealed class LlamaLayerWeights(ParameterStore store, int layer)
{
    public Tensor InputNorm { get; } = store[LlamaParameters.OfLayer(layer, "input_layernorm.weight")];
    public Tensor Query { get; } = store[LlamaParameters.OfLayer(layer, "self_attn.q_proj.weight")];
    public Tensor Key { get; } = store[LlamaParameters.OfLayer(layer, "self_attn.k_proj.weight")];
    public Tensor Value { get; } = store[LlamaParameters.OfLayer(layer, "self_attn.v_proj.weight")];
    public Tensor? QueryBias { get; } = Optional(store, layer, "self_attn.q_proj.bias");
    public Tensor? KeyBias { get; } = Optional(store, layer, "self_attn.k_proj.bias");
    public Tensor? ValueBias { get; } = Optional(store, layer, "self_attn.v_proj.bias");
    public Tensor Output { get; } = store[LlamaParameters.OfLayer(layer, "self_attn.o_proj.weight")];
    public Tensor? OutputBias { get; } = Optional(store, layer, "self_attn.o_proj.bias");
    public Tensor PostNorm { get; } = store[LlamaParameters.OfLayer(layer, "post_attention_layernorm.weight")];
    public Tensor Gate { get; } = store[LlamaParameters.OfLayer(layer, "mlp.gate_proj.weight")];
    public Tensor Up { get; } = store[LlamaParameters.OfLayer(layer, "mlp.up_proj.weight")];
    public Tensor Down { get; } = store[LlamaParameters.OfLayer(layer, "mlp.down_proj.weight")];

    private static Tensor? Optional(ParameterStore store, int layer, string part)
    {
        string name = LlamaParameters.OfLayer(layer, part);
        return store.Contains(name) ? store[name] : null;
    }
}

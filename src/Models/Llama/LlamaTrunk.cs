using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// The Llama trunk (Touvron et al. 2023) written with torch operators: embedding, layers of grouped-query attention and SwiGLU with
/// RMSNorm before each, a final RMSNorm. Works on every device and dtype, with and without autograd; the faster paths are held to it.
/// </summary>
internal sealed class LlamaTrunk : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly Tensor _embedding;
    private readonly Tensor _finalNorm;
    private readonly LlamaLayerWeights[] _layers;
    private readonly RotaryTables _rotary;

    public LlamaTrunk(LlamaConfig config, ParameterStore store)
    {
        _config = config;
        _embedding = store[LlamaParameters.Embedding];
        _finalNorm = store[LlamaParameters.FinalNorm];
        _layers = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new LlamaLayerWeights(store, i))];
        _rotary = new RotaryTables(config.HeadDim, config.RopeTheta, store.Dtype, store.Device);
    }

    /// <summary>[batch, time] ids to [batch, time, hidden], normed. The caller owns the result.</summary>
    /// <param name="ids">[batch, time].</param>
    /// <param name="cache">Null, or what came before.</param>
    /// <param name="residuals">Where not null, takes the residual stream: the embeddings, then after each layer, [batch · time, hidden].</param>
    public Tensor Forward(Tensor ids, KeyValueCache? cache, List<Tensor>? residuals = null)
    {
        using DisposeScope scope = NewDisposeScope();
        long batch = ids.shape[0], time = ids.shape[1], past = cache?.Length ?? 0;
        (Tensor cosine, Tensor sine) = _rotary.Upto(past + time);
        var positions = new Positions(batch, time, past, cosine.narrow(0, past, time), sine.narrow(0, past, time), CausalMask(time, past));
        Tensor x = _embedding.index_select(0, ids.reshape(-1)); // [batch · time, hidden]
        residuals?.Add(x.clone().MoveToOuterDisposeScope());
        for (int i = 0; i < _layers.Length; i++)
        {
            x = x.add(Attention(i, RmsNorm(x, _layers[i].InputNorm), positions, cache));
            x = x.add(SwiGlu(_layers[i], RmsNorm(x, _layers[i].PostNorm)));
            residuals?.Add(x.clone().MoveToOuterDisposeScope());
        }

        if (cache is not null) cache.Length += time;
        return RmsNorm(x, _finalNorm).view(batch, time, _config.HiddenSize).MoveToOuterDisposeScope();
    }

    public void Dispose() => _rotary.Dispose();

    /// <summary>x / √(mean(x²) + ε) ∘ w (Zhang &amp; Sennrich 2019).</summary>
    private Tensor RmsNorm(Tensor x, Tensor weight) => x.mul(x.mul(x).mean([-1], keepdim: true).add(_config.RmsNormEps).rsqrt()).mul(weight);

    /// <summary>(silu(x·gate) ∘ x·up)·down (Shazeer 2020).</summary>
    private static Tensor SwiGlu(LlamaLayerWeights w, Tensor x) => x.matmul(w.Gate).silu().mul(x.matmul(w.Up)).matmul(w.Down);

    /// <summary>
    /// Grouped-query attention (Ainslie et al. 2023). The query heads that share a key/value head are stacked along time,
    /// [batch · kvHeads, group · time, headDim], so that keys and values are never repeated.
    /// </summary>
    private Tensor Attention(int layer, Tensor x, Positions at, KeyValueCache? cache)
    {
        LlamaLayerWeights w = _layers[layer];
        long keyHeads = _config.NumKeyValueHeads, group = _config.QueriesPerKeyValue, size = _config.HeadDim;
        Tensor q = Rotate(Heads(Linear(x, w.Query, w.QueryBias), at, _config.NumAttentionHeads), at);
        Tensor k = Rotate(Heads(Linear(x, w.Key, w.KeyBias), at, keyHeads), at);
        Tensor v = Heads(Linear(x, w.Value, w.ValueBias), at, keyHeads);
        if (cache is not null) (k, v) = cache.Append(layer, k, v);
        long length = k.shape[2];
        q = q.reshape(at.Batch * keyHeads, group * at.Time, size);
        k = k.reshape(at.Batch * keyHeads, length, size);
        v = v.reshape(at.Batch * keyHeads, length, size);
        Tensor scores = q.bmm(k.transpose(1, 2)).mul(1 / Math.Sqrt(size)); // [batch · kvHeads, group · time, length]
        scores = scores.view(at.Batch * _config.NumAttentionHeads, at.Time, length).add(at.Mask);
        Tensor weights = scores.softmax(-1).view(at.Batch * keyHeads, group * at.Time, length);
        Tensor mixed = weights.bmm(v).view(at.Batch, _config.NumAttentionHeads, at.Time, size).transpose(1, 2);
        return Linear(mixed.reshape(at.Batch * at.Time, _config.QueryWidth), w.Output, w.OutputBias);
    }

    private static Tensor Linear(Tensor x, Tensor weight, Tensor? bias) => bias is null ? x.mm(weight) : bias.addmm(x, weight);

    /// <summary>[batch · time, heads · headDim] to [batch, heads, time, headDim].</summary>
    private Tensor Heads(Tensor x, Positions at, long heads) => x.view(at.Batch, at.Time, heads, _config.HeadDim).transpose(1, 2);

    /// <summary>Turns the pairs (i, i + headDim/2): Hugging Face's convention.</summary>
    private Tensor Rotate(Tensor x, Positions at)
    {
        long half = _config.HeadDim / 2;
        Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
        return cat([a.mul(at.Cosine).sub(b.mul(at.Sine)), b.mul(at.Cosine).add(a.mul(at.Sine))], -1);
    }

    /// <summary>[time, past + time]: 0 where a position may look, −∞ where it may not.</summary>
    private Tensor CausalMask(long time, long past)
    {
        Tensor mask = full([time, past + time], double.NegativeInfinity, _embedding.dtype, _embedding.device);
        return mask.triu(past + 1);
    }

    private sealed record Positions(long Batch, long Time, long Past, Tensor Cosine, Tensor Sine, Tensor Mask);
}

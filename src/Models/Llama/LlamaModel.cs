using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// A Llama model in torch: a trunk, and what its <see cref="ModelHead"/> adds. Rows may be padded on the right with any valid id: attention
/// is causal, so real positions never see the padding and need no mask; what comes out at padded positions means nothing.
/// </summary>
public sealed class LlamaModel : IDisposable
{
    private readonly LlamaTrunk _trunk;
    private readonly FusedTrunk? _fused;

    private LlamaModel(LlamaConfig config, ParameterStore parameters)
    {
        Config = config;
        Parameters = parameters;
        _trunk = new LlamaTrunk(config, parameters);
        _fused = FusedTrunk.Supports(config, parameters) ? new FusedTrunk(config, parameters) : null;
    }

    public LlamaConfig Config { get; }

    /// <summary>All weights. Owned by the model.</summary>
    public ParameterStore Parameters { get; }

    public Device Device => Parameters.Device;

    /// <summary>[hidden, vocabulary]: a view of <c>lm_head.weight</c> or of the transposed embedding. The caller owns the view.</summary>
    /// <exception cref="InvalidOperationException">A scalar model has none.</exception>
    public Tensor HeadWeight => Config.Head == ModelHead.Scalar
        ? throw new InvalidOperationException("A scalar model has no head over the vocabulary.")
        : Config.TieWordEmbeddings ? Parameters[LlamaParameters.Embedding].t() : Parameters[LlamaParameters.LanguageModelHead].alias();

    /// <summary>A new model with addressed random weights (<see cref="Initialisation"/>).</summary>
    public static LlamaModel Create(LlamaConfig config, ulong seed, Device? device = null, ScalarType dtype = ScalarType.Float32, bool trainable = true)
    {
        var store = new ParameterStore(LlamaParameters.Of(config.Validated("configuration")), device, dtype, trainable);
        Initialisation.Fill(store, config, seed);
        return new LlamaModel(config, store);
    }

    /// <summary>
    /// Reads a Hugging Face folder. A head that the folder lacks is new: the value head is zero, the score is random at <paramref name="seed"/>.
    /// </summary>
    /// <param name="folder">config.json and *.safetensors.</param>
    /// <param name="head">What to put on the trunk; null: what the folder has.</param>
    /// <param name="device">Null: the CPU.</param>
    /// <param name="configure">Changes the configuration after it was read (pooling, score bias, …), not the shapes of the trunk.</param>
    /// <param name="dtype">Float32, or Float64 for checks.</param>
    /// <param name="trainable">False: no gradients are kept.</param>
    /// <param name="seed">Of a new score head.</param>
    /// <exception cref="BadModelException">Missing, damaged, of another architecture or shape, or not finite.</exception>
    public static LlamaModel Load(
        string folder,
        ModelHead? head = null,
        Device? device = null,
        Func<LlamaConfig, LlamaConfig>? configure = null,
        ScalarType dtype = ScalarType.Float32,
        bool trainable = true,
        ulong seed = 0)
    {
        LlamaConfig stored = LlamaConfig.Load(folder), wanted = stored with { Head = head ?? stored.Head };
        wanted = (configure is null ? wanted : configure(wanted)).Validated(folder);
        ModelFiles.CheckShapes(folder, stored);
        var store = new ParameterStore(LlamaParameters.Of(wanted), device, dtype, trainable);
        try
        {
            ModelFiles.Read(folder, stored, wanted, store, seed);
            return new LlamaModel(wanted, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>A copy with weights of its own, for example a reference that does not follow the policy.</summary>
    public LlamaModel Clone(bool trainable = true)
    {
        var store = new ParameterStore(LlamaParameters.Of(Config), Device, Parameters.Dtype, trainable);
        store.CopyFrom(Parameters);
        return new LlamaModel(Config, store);
    }

    /// <summary>Writes config.json and the weights, each whole or not at all, and copies the tokenizer's files along.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="dtype">F32 comes back bit for bit; F16 and BF16 are rounded to nearest even.</param>
    /// <param name="tokenizerFrom">A folder whose tokenizer files are copied, or null.</param>
    /// <param name="maximumShardBytes">Larger weights are cut into shards.</param>
    public void Save(string folder, SafetensorsType dtype = SafetensorsType.F32, string? tokenizerFrom = null, long maximumShardBytes = 5L << 30) =>
        ModelFiles.Write(folder, Config with { TorchDtype = dtype.TorchDtype() }, Parameters, dtype, tokenizerFrom, maximumShardBytes);

    /// <summary>The last hidden states, normed: what every head reads. The caller (or its dispose scope) owns the result.</summary>
    /// <param name="ids">[batch, time] int64, right-padded with any valid id.</param>
    /// <param name="cache">Null, or what came before; new keys and values are appended. Not differentiable.</param>
    /// <returns>[batch, time, hidden]</returns>
    public Tensor Hidden(Tensor ids, KeyValueCache? cache = null)
    {
        long length = ids.shape[1] + (cache?.Length ?? 0);
        if (length > Config.MaxPositionEmbeddings)
            throw new ArgumentException($"{length} positions are more than max_position_embeddings ({Config.MaxPositionEmbeddings}).", nameof(ids));
        if (cache is not null && length > cache.Capacity)
            throw new ArgumentException($"{length} positions are more than the cache holds ({cache.Capacity}).", nameof(ids));
        return _fused is not null && cache is null ? _fused.Forward(ids) : _trunk.Forward(ids, cache);
    }

    /// <summary>As <see cref="Hidden"/>, by torch's operators alone: what the faster path is held to.</summary>
    internal Tensor HiddenByOperators(Tensor ids) => _trunk.Forward(ids, null);

    /// <summary>The residual stream of every layer, for finding the first one that differs from another engine: the embeddings, then after each layer.</summary>
    /// <returns>layers + 1 tensors [batch · time, hidden], before the final norm; owned by the caller's scope.</returns>
    public IReadOnlyList<Tensor> Residuals(Tensor ids)
    {
        var residuals = new List<Tensor>(Config.NumHiddenLayers + 1);
        _trunk.Forward(ids, null, residuals).Dispose();
        return residuals;
    }

    /// <summary>[…, hidden] to […, vocabulary], all at once: for tests and small use. Training takes chunks of rows.</summary>
    public Tensor Logits(Tensor hidden)
    {
        using Tensor weight = HeadWeight;
        return hidden.matmul(weight);
    }

    /// <summary>One value per row: […, hidden] to […]. The value head's, or the score's (a critic of its own).</summary>
    public Tensor Values(Tensor hidden)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor values = Config.Head switch
        {
            ModelHead.LanguageModelWithValue => hidden.matmul(Parameters[LlamaParameters.ValueWeight]).add(Parameters[LlamaParameters.ValueBias]),
            ModelHead.Scalar => RawScore(hidden),
            _ => throw new InvalidOperationException("A language model without value head has no values."),
        };
        return values.squeeze(-1).MoveToOuterDisposeScope();
    }

    /// <summary>One reward per sequence: gain · score + bias of the pooled hidden states.</summary>
    /// <param name="hidden">[batch, time, hidden]</param>
    /// <param name="lengths">[batch] int64: real tokens of each row, at least 1.</param>
    /// <param name="factors">[batch, hidden] that the pooled states are multiplied by (dropout while training), or null.</param>
    /// <returns>[batch]</returns>
    public Tensor Score(Tensor hidden, Tensor lengths, Tensor? factors = null)
    {
        if (Config.Head != ModelHead.Scalar) throw new InvalidOperationException("Only a scalar model has a score.");
        using DisposeScope scope = NewDisposeScope();
        Tensor pooled = Config.RewardPooling == RewardPooling.Last ? LastReal(hidden, lengths) : MeanOfReal(hidden, lengths);
        if (factors is not null) pooled = pooled.mul(factors);
        Tensor score = RawScore(pooled).squeeze(-1);
        if (Config.RewardGain != 1) score = score.mul(Config.RewardGain);
        if (Config.RewardBias != 0) score = score.add(Config.RewardBias);
        return score.MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _trunk.Dispose();
        _fused?.Dispose();
        Parameters.Dispose();
    }

    private Tensor RawScore(Tensor hidden)
    {
        Tensor score = hidden.matmul(Parameters[LlamaParameters.ScoreWeight]);
        return Config.ScoreBias ? score.add(Parameters[LlamaParameters.ScoreBias]) : score;
    }

    /// <summary>[batch, hidden] at position length − 1, always.</summary>
    private static Tensor LastReal(Tensor hidden, Tensor lengths)
    {
        long batch = hidden.shape[0], time = hidden.shape[1];
        Tensor rows = arange(batch, ScalarType.Int64, hidden.device).mul(time).add(lengths).sub(1);
        return hidden.reshape(batch * time, hidden.shape[2]).index_select(0, rows);
    }

    private static Tensor MeanOfReal(Tensor hidden, Tensor lengths)
    {
        Tensor real = arange(hidden.shape[1], ScalarType.Int64, hidden.device).unsqueeze(0).lt(lengths.unsqueeze(1)); // [batch, time]
        Tensor sum = hidden.mul(real.to(hidden.dtype).unsqueeze(-1)).sum(1);
        return sum.div(lengths.to(hidden.dtype).unsqueeze(-1));
    }
}

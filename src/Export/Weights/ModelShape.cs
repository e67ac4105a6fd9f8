namespace Rlhf.Export;

/// <summary>The numbers of a Llama-shaped model that the exported graph depends on.</summary>
public sealed record ModelShape
{
    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    /// <summary>Size of one attention head; even (the rotary embedding turns pairs).</summary>
    public required int HeadSize { get; init; }

    /// <summary>Longest sequence, prompt and response together; the rotary tables have this many rows.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Base θ of the rotary frequencies θ^(−2i/head size).</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>ε inside the root of RMSNorm.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>True: the output head is the embedding table, transposed.</summary>
    public bool TiedHead { get; init; }

    /// <summary>True: q_proj, k_proj and v_proj have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>True: o_proj has a bias too.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Reward models: a trained <c>score.bias</c> [1] is added to the score.</summary>
    public bool ScoreBias { get; init; }

    /// <summary>Reward models: what the score is taken from.</summary>
    public ScorePooling Pooling { get; init; } = ScorePooling.Last;

    /// <summary>Reward models: reward = gain · score + bias.</summary>
    public double RewardGain { get; init; } = 1;

    /// <summary>Reward models: reward = gain · score + bias.</summary>
    public double RewardBias { get; init; }

    /// <summary>Policies with Q heads (ILQL): the logits are those of the language model + this · min(Q₁, Q₂); null: no such heads.</summary>
    public double? ActionValueBeta { get; init; }

    /// <summary>Reward models: T of σ(reward / T) that is calibrated; written to the folder, not part of the graph.</summary>
    public double RewardTemperature { get; init; } = 1;

    /// <summary>Reward models: the longest text, in tokens, of the training; written to the folder; null: as many as there are positions.</summary>
    public int? RewardMaxLength { get; init; }

    public int? BosTokenId { get; init; }

    /// <summary>Tokens that end a response; the first one is the one that training uses.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? PadTokenId { get; init; }

    /// <summary>
    /// Head size in the ONNX graph: the next multiple of 16, because GroupQueryAttention rotates only such heads. Each rotary half is
    /// zero-padded; q·k and the output are unchanged because the added numbers are zeros.
    /// </summary>
    public int PaddedHeadSize => (HeadSize + 15) / 16 * 16;
}

/// <summary>
/// Parameters by their Hugging Face names ("model.layers.0.self_attn.q_proj.weight"). Linear weights are [in, out], the embedding is
/// [vocabulary, hidden], everything float32 and row-major.
/// </summary>
public interface IModelWeights
{
    ModelShape Shape { get; }

    /// <summary>The values of one parameter, valid until the next is asked for. Throws <see cref="Core.BadModelException"/> when the model has no such parameter.</summary>
    ReadOnlySpan<float> Get(string name);
}

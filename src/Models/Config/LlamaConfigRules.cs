namespace Rlhf.Models;

/// <summary>What the numbers of a <see cref="LlamaConfig"/> must satisfy.</summary>
internal static class LlamaConfigRules
{
    internal static readonly string[] Dtypes = ["float32", "float16", "bfloat16"];

    // Far above any model's: a number that was damaged must not become an allocation.
    private const int MostTokens = 1 << 24, MostPositions = 1 << 20, MostWidth = 1 << 20, MostLayers = 1024, MostHeads = 1 << 14;

    public static IReadOnlyList<string> Check(LlamaConfig config)
    {
        List<string> problems = [];
        Positive("vocab_size", config.VocabSize, MostTokens);
        Positive("hidden_size", config.HiddenSize, MostWidth);
        Positive("intermediate_size", config.IntermediateSize, MostWidth);
        Positive("num_hidden_layers", config.NumHiddenLayers, MostLayers);
        Positive("num_attention_heads", config.NumAttentionHeads, MostHeads);
        Positive("num_key_value_heads", config.NumKeyValueHeads, MostHeads);
        Positive("head_dim", config.HeadDim, MostHeads);
        Positive("max_position_embeddings", config.MaxPositionEmbeddings, MostPositions);
        if (config.HeadDim > 0 && config.HeadDim % 2 != 0)
            problems.Add($"head_dim is {config.HeadDim}; it must be even (rotary positions turn pairs). Without a head_dim key it is hidden_size / num_attention_heads.");
        if (config.NumAttentionHeads > 0 && config.NumKeyValueHeads > 0 && config.NumAttentionHeads % config.NumKeyValueHeads != 0)
            problems.Add($"num_key_value_heads is {config.NumKeyValueHeads}; it must divide num_attention_heads ({config.NumAttentionHeads}).");
        if (!(config.RmsNormEps > 0) || !double.IsFinite(config.RmsNormEps))
            problems.Add(Invariant($"rms_norm_eps is {config.RmsNormEps}; it must be positive."));
        if (!(config.RopeTheta > 0) || !double.IsFinite(config.RopeTheta))
            problems.Add(Invariant($"rope_theta is {config.RopeTheta}; it must be positive."));
        if (!double.IsFinite(config.RewardGain) || !double.IsFinite(config.RewardBias))
            problems.Add(Invariant($"rlhf_reward_gain is {config.RewardGain} and rlhf_reward_bias is {config.RewardBias}; both must be finite."));
        if (!(config.RewardTemperature > 0) || !double.IsFinite(config.RewardTemperature))
            problems.Add(Invariant($"rlhf_reward_temperature is {config.RewardTemperature}; it must be positive."));
        if (config.RewardMaxLength is { } length && (length < 1 || length > config.MaxPositionEmbeddings))
            problems.Add($"rlhf_max_length is {length}; it must be from 1 to max_position_embeddings ({config.MaxPositionEmbeddings}).");
        if (!Dtypes.Contains(config.TorchDtype))
            problems.Add($"torch_dtype is \"{config.TorchDtype}\"; it must be one of {string.Join(", ", Dtypes)}.");
        if (config.ModelType is not ("llama" or "qwen2"))
            problems.Add($"model_type is \"{config.ModelType}\"; only llama and qwen2 can be computed.");
        if (config.ModelType == "qwen2" && !config.AttentionBias)
            problems.Add("model_type is \"qwen2\" without attention bias; qwen2 has a bias on q, k and v. Use model_type llama.");
        TokenId("bos_token_id", config.BosTokenId);
        foreach (int id in config.EosTokenIds) TokenId("eos_token_id", id);
        TokenId("pad_token_id", config.PadTokenId);
        return problems;

        void Positive(string key, int value, int most)
        {
            if (value <= 0) problems.Add($"{key} is {value}; it must be a positive whole number.");
            else if (value > most) problems.Add($"{key} is {value}; at most {most} can be computed.");
        }

        void TokenId(string key, int? id)
        {
            if (id is { } i && (i < 0 || i >= config.VocabSize))
                problems.Add($"{key} is {i}; it must be below vocab_size ({config.VocabSize}) and not negative.");
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

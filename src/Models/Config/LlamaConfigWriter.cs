using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rlhf.Models;

/// <summary>Writes a <see cref="LlamaConfig"/> with Hugging Face's keys, sorted.</summary>
internal static class LlamaConfigWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2, NewLine = "\n" };

    public static string Write(LlamaConfig config)
    {
        var keys = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach ((string key, JsonNode? value) in config.Extra) keys[key] = value?.DeepClone();
        keys["architectures"] = new JsonArray(config.Architecture);
        keys["model_type"] = config.ModelType;
        keys["vocab_size"] = config.VocabSize;
        keys["hidden_size"] = config.HiddenSize;
        keys["intermediate_size"] = config.IntermediateSize;
        keys["num_hidden_layers"] = config.NumHiddenLayers;
        keys["num_attention_heads"] = config.NumAttentionHeads;
        keys["num_key_value_heads"] = config.NumKeyValueHeads;
        keys["head_dim"] = config.HeadDim;
        keys["rms_norm_eps"] = config.RmsNormEps;
        keys["rope_theta"] = config.RopeTheta;
        keys["max_position_embeddings"] = config.MaxPositionEmbeddings;
        keys["tie_word_embeddings"] = config.TieWordEmbeddings;
        keys["attention_bias"] = config.AttentionBias;
        keys["hidden_act"] = "silu";
        keys["torch_dtype"] = config.TorchDtype;
        if (config.BosTokenId is { } bos) keys["bos_token_id"] = bos;
        if (config.EosTokenIds.Count == 1) keys["eos_token_id"] = config.EosTokenIds[0];
        if (config.EosTokenIds.Count > 1) keys["eos_token_id"] = new JsonArray([.. config.EosTokenIds.Select(id => (JsonNode)id)]);
        if (config.PadTokenId is { } pad) keys["pad_token_id"] = pad;
        if (config.Head == ModelHead.LanguageModelWithValue) keys["rlhf_value_head"] = true;
        if (config.Head == ModelHead.Scalar)
        {
            keys["num_labels"] = 1;
            keys["rlhf_pooling"] = config.RewardPooling == RewardPooling.Mean ? "mean" : "last";
            keys["rlhf_reward_gain"] = config.RewardGain;
            keys["rlhf_reward_bias"] = config.RewardBias;
            if (config.RewardTemperature != 1) keys["rlhf_reward_temperature"] = config.RewardTemperature;
            if (config.RewardMaxLength is { } length) keys["rlhf_max_length"] = length;
            if (config.ScoreBias) keys["rlhf_score_bias"] = true;
        }

        return new JsonObject(keys).ToJsonString(Indented) + "\n";
    }
}

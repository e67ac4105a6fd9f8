using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rlhf.Export;

/// <summary>genai_config.json: how ONNX Runtime GenAI opens the folder.</summary>
internal static class GenAiConfig
{
    public const string FileName = "genai_config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static string Write(ModelShape shape)
    {
        JsonNode eos = shape.EosTokenIds.Count switch
        {
            0 => -1,
            1 => shape.EosTokenIds[0],
            _ => new JsonArray([.. shape.EosTokenIds.Select(id => (JsonNode)id)]),
        };
        int firstEos = shape.EosTokenIds.Count > 0 ? shape.EosTokenIds[0] : 0;
        JsonObject root = new()
        {
            ["model"] = new JsonObject
            {
                ["bos_token_id"] = shape.BosTokenId ?? firstEos,
                ["context_length"] = shape.MaxPositions,
                ["decoder"] = new JsonObject
                {
                    ["session_options"] = new JsonObject { ["log_id"] = "onnxruntime-genai", ["provider_options"] = new JsonArray() },
                    ["filename"] = "model.onnx",
                    // The cache holds padded heads.
                    ["head_size"] = shape.PaddedHeadSize,
                    ["hidden_size"] = shape.HiddenSize,
                    ["inputs"] = new JsonObject
                    {
                        ["input_ids"] = "input_ids",
                        ["attention_mask"] = "attention_mask",
                        ["past_key_names"] = "past_key_values.%d.key",
                        ["past_value_names"] = "past_key_values.%d.value",
                    },
                    ["outputs"] = new JsonObject
                    {
                        ["logits"] = "logits",
                        ["present_key_names"] = "present.%d.key",
                        ["present_value_names"] = "present.%d.value",
                    },
                    ["num_attention_heads"] = shape.Heads,
                    ["num_hidden_layers"] = shape.Layers,
                    ["num_key_value_heads"] = shape.KeyValueHeads,
                },
                ["eos_token_id"] = eos,
                // GenAI fills finished rows with it; attention never sees it.
                ["pad_token_id"] = shape.PadTokenId ?? firstEos,
                ["type"] = "llama",
                ["vocab_size"] = shape.VocabularySize,
            },
            ["search"] = new JsonObject
            {
                ["do_sample"] = false,
                ["early_stopping"] = true,
                ["length_penalty"] = 1.0,
                ["max_length"] = shape.MaxPositions,
                ["min_length"] = 0,
                ["no_repeat_ngram_size"] = 0,
                ["num_beams"] = 1,
                ["num_return_sequences"] = 1,
                ["past_present_share_buffer"] = true,
                ["repetition_penalty"] = 1.0,
                ["temperature"] = 1.0,
                ["top_k"] = 50,
                ["top_p"] = 1.0,
            },
        };
        return root.ToJsonString(Indented);
    }
}

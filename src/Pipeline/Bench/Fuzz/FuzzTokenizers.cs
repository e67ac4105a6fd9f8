using System.Text.Json.Nodes;

namespace Rlhf.Pipeline.Bench;

/// <summary>A tokenizer as converted from SentencePiece: decoder and post-processor in several steps, BOS by the post-processor alone.</summary>
internal static class FuzzTokenizers
{
    /// <summary>Writes the corpus, beside a model with a tokenizer.</summary>
    public static void Write(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "parts"));
        JsonNode tokenizer = Read("tokenizer.json"), config = Read("tokenizer_config.json");
        tokenizer["normalizer"] = JsonNode.Parse("""{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}""");
        tokenizer["pre_tokenizer"] = null;
        tokenizer["decoder"] = JsonNode.Parse("""{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}""");
        tokenizer["post_processor"] = new JsonObject { ["type"] = "Sequence", ["processors"] = new JsonArray(tokenizer["post_processor"]!.DeepClone()) };
        config.AsObject().Remove("add_bos_token");
        config["chat_template"] = "{{ bos_token }}";
        Write("tokenizer.json", tokenizer);
        Write("tokenizer_config.json", config);
        Write("config.json", JsonNode.Parse("""{"bos_token_id": 0, "eos_token_id": [1], "pad_token_id": 2}""")!);

        // The space of the byte-level alphabet, as it is or escaped, becomes that of SentencePiece.
        JsonNode Read(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "model", name)).Replace("\\u0120", "▁", StringComparison.Ordinal).Replace('Ġ', '▁'))!;
        void Write(string name, JsonNode content) => File.WriteAllText(Path.Combine(folder, "parts", name), content.ToJsonString());
    }
}

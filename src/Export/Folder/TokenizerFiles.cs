using Rlhf.Core;

namespace Rlhf.Export;

/// <summary>The tokenizer travels with every model folder: training, scoring and deployment share one.</summary>
internal static class TokenizerFiles
{
    public const string Required = "tokenizer.json";

    private static readonly string[] Names =
    [
        Required, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
        "chat_template.jinja",
    ];

    public static void Copy(string source, string destination)
    {
        if (!File.Exists(Path.Combine(source, Required)))
        {
            throw new BadModelException(
                $"{source}: no {Required}, so the exported model could not be used. Name a Hugging Face folder that holds the tokenizer the model was trained with.");
        }

        foreach (string name in Names)
        {
            string file = Path.Combine(source, name);
            if (!File.Exists(file)) continue;
            // Bytes, not File.Copy: a read-only source must not make a read-only folder that the next export cannot replace.
            File.WriteAllBytes(Path.Combine(destination, name), File.ReadAllBytes(file));
        }
    }
}

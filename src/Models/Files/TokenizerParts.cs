namespace Rlhf.Models;

/// <summary>The files that a tokenizer consists of; they travel with every model folder, so that training, scoring and deployment share one tokenizer.</summary>
public static class TokenizerParts
{
    /// <summary>Without it there is no tokenizer.</summary>
    public const string Required = "tokenizer.json";

    private static readonly string[] Names =
    [
        Required, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja",
    ];

    /// <summary>Whether a file belongs to a tokenizer.</summary>
    public static bool Has(string name) => Names.Contains(name);

    /// <summary>Names of those that a folder has.</summary>
    public static IEnumerable<string> Of(string folder) => Names.Where(name => File.Exists(Path.Combine(folder, name)));
}

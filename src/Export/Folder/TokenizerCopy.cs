using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Export;

/// <summary>Gives an exported folder its tokenizer.</summary>
internal static class TokenizerCopy
{
    /// <exception cref="BadModelException">The source has no tokenizer.</exception>
    public static void Make(string source, string destination)
    {
        if (!File.Exists(Path.Combine(source, TokenizerParts.Required)))
        {
            throw new BadModelException(
                $"{source}: no {TokenizerParts.Required}, so the exported model could not be used. Name a Hugging Face folder that holds the tokenizer the model was trained with.");
        }

        // Bytes, not File.Copy: a read-only source must not make a read-only folder that the next export cannot replace.
        foreach (string name in TokenizerParts.Of(source)) File.WriteAllBytes(Path.Combine(destination, name), File.ReadAllBytes(Path.Combine(source, name)));
    }
}

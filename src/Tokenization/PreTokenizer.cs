using System.Text.RegularExpressions;

namespace Rlhf.Tokenization;

/// <summary>Cuts text into the pieces that byte-level BPE never merges across: the pattern of GPT-2.</summary>
public static partial class PreTokenizer
{
    /// <summary>Ranges of the pieces, in order; together they are the whole text.</summary>
    public static Regex.ValueMatchEnumerator Pieces(ReadOnlySpan<char> text) => Pattern().EnumerateMatches(text);

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}

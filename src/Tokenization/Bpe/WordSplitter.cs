using System.Globalization;
using System.Text;

namespace Rlhf.Tokenization.Bpe;

/// <summary>
/// GPT-2's pre-tokenisation: merges never cross the words that this splits a text into. A hand-written scanner for the expression
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> over code points; the words put together are the text.
/// As in GenAI's tokenizer, and unlike Unicode's White_Space, U+0085 is no space.
/// </summary>
public static class WordSplitter
{
    private enum Kind : byte { Letter, Number, Space, Other }

    private static readonly Kind[] s_ascii = [.. Enumerable.Range(0, 128).Select(value => KindOf(new Rune(value)))];

    /// <summary>Where the word that begins at <paramref name="start"/> ends (exclusive); <paramref name="start"/> must be inside the text.</summary>
    public static int EndOfWord(ReadOnlySpan<char> text, int start)
    {
        if (text[start] == '\'' && ContractionLength(text[start..]) is > 0 and int length)
            return start + length;

        int body = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        Kind kind = KindAt(text, body, out int width);
        if (kind != Kind.Space)
            return EndOfRun(text, body + width, kind);

        int end = EndOfRun(text, start + 1, Kind.Space);
        // \s+(?!\S): all but the last space before a word, which goes with the word if it is ' ' and stands alone if not.
        return end == text.Length || end - start == 1 ? end : end - 1;
    }

    private static int EndOfRun(ReadOnlySpan<char> text, int position, Kind kind)
    {
        while (position < text.Length && KindAt(text, position, out int width) == kind)
            position += width;
        return position;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int position, out int width)
    {
        char first = text[position];
        width = 1;
        if (first < 128)
            return s_ascii[first];
        Rune.DecodeFromUtf16(text[position..], out Rune rune, out width);
        return KindOf(rune);
    }

    private static Kind KindOf(Rune rune) => Rune.IsWhiteSpace(rune) && rune.Value != 0x85 ? Kind.Space : Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        _ => Kind.Other,
    };

    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 2)
            return 0;
        if (text[1] is 's' or 't' or 'm' or 'd')
            return 2;
        return text.Length > 2 && (text[1], text[2]) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }
}

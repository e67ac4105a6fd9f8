using System.Text;

namespace Rlhf.Scoring;

/// <summary>Words as the rules count them: runs of letters, digits and inner apostrophes, lower-cased.</summary>
public static class Words
{
    public static List<string> Of(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool inner = c is '\'' or '’' && word.Length > 0 && i + 1 < text.Length && char.IsLetter(text[i + 1]);
            if (char.IsLetterOrDigit(c) || inner) word.Append(c == '’' ? '\'' : char.ToLowerInvariant(c));
            else Flush(words, word);
        }

        Flush(words, word);
        return words;
    }

    private static void Flush(List<string> words, StringBuilder word)
    {
        if (word.Length == 0) return;
        words.Add(word.ToString());
        word.Clear();
    }
}

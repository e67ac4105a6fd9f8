using System.Text.RegularExpressions;
using NUnit.Framework;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Tokenization.Tests;

public sealed partial class WordSplitterTests
{
    // GPT-2's expression; U+0085 is taken out of \s as GenAI has it.
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?(?:[^\s\p{L}\p{N}]|\x85)+|[\s-[\x85]]+(?![^\s]|\x85)|[\s-[\x85]]+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2();

    private static string[] Split(string text)
    {
        List<string> words = [];
        for (int start = 0; start < text.Length;)
        {
            int end = WordSplitter.EndOfWord(text, start);
            words.Add(text[start..end]);
            start = end;
        }
        return [.. words];
    }

    [Test]
    public void SplitsAsInTheGpt2Paper() => Assert.That(
        Split("I'll  see 42 films, don't\n\n you? "), Is.EqualTo((string[])["I", "'ll", " ", " see", " 42", " films", ",", " don", "'t", "\n\n", " you", "?", " "]));

    [Test]
    public void AgreesWithTheRegularExpression()
    {
        // .NET's expressions see UTF-16 units, so texts with surrogates are left to the comparison with GenAI.
        foreach (string text in TestData.Awkward.Concat(TestData.Reviews(500)).Where(text => !text.Any(char.IsSurrogate)))
            Assert.That(Split(text), Is.EqualTo(Gpt2().Matches(text).Select(match => match.Value).ToArray()), text);
    }

    [Test]
    public void EveryCodePointOfTheBasicPlaneIsOfTheSameKind()
    {
        for (int value = 1; value < 0x10000; value++)
        {
            if (char.IsSurrogate((char)value))
                continue;
            string text = $"a{(char)value}b {(char)value}1 {(char)value} ?";
            Assert.That(Split(text), Is.EqualTo(Gpt2().Matches(text).Select(match => match.Value).ToArray()), $"U+{value:X4}");
        }
    }
}

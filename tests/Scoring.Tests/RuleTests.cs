using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Scoring.Tests;

/// <summary>Rules: values worked by hand, and whole error texts.</summary>
public sealed class RuleTests
{
    private static double? Score(string rule, string response, string? metadata = null, int? tokens = null, Dictionary<string, string>? columns = null) =>
        RuleCatalogue.Parse(rule).Score(new RuleInput("", response, tokens, metadata, columns));

    // 1 − |3 − 4|/4 = 0.75; at the target 1; 12 words are 8 past it: 1 − 8/4 < 0.
    [TestCase("length:target=4,width=4", "one two three", 0.75)]
    [TestCase("length:target=4,width=4", "one two three four", 1)]
    [TestCase("length:target=4,width=4", "a b c d e f g h i j k l", 0)]
    [TestCase("length:target=3,width=2,unit=characters", "ab", 0.5)]
    // Bigrams "a b", "b a", "a b", "b c": one of four was there before.
    [TestCase("repetition:n=2", "a b a b c", -0.25)]
    [TestCase("repetition:n=3", "a b", 0)]
    // Windows of two: {a,b} 2, {b,b} 1, {b,a} 2: mean 5/3 of 2.
    [TestCase("variety:window=2", "a b b a", 5 / 6.0)]
    [TestCase("variety", "", 0)]
    // great +1, awful −1, awful −1 of four words.
    [TestCase("lexicon", "Great awful, AWFUL film", -0.25)]
    [TestCase("lexicon:per_word=false", "Great awful, AWFUL film", -1)]
    [TestCase(@"regex:pattern=a\,b,score=2,otherwise=-1", "xA,By", 2)]
    [TestCase(@"regex:pattern=a\,b,score=2,otherwise=-1,ignore_case=false", "xA,By", -1)]
    public void ValuesAreThoseWorkedByHand(string rule, string response, double expected) => Assert.That(Score(rule, response), Is.EqualTo(expected).Within(1e-15));

    [TestCase("so 7 and then #### 1,234.50", "{\"answer\": \"… #### 1234.5\"}", 1)]
    [TestCase("it is $42.", "{\"answer\": 42}", 1)]
    [TestCase("it is 41", "{\"answer\": 42}", 0)]
    [TestCase("no number", "{\"answer\": 42}", 0)]
    [TestCase("it is 42", "{\"reward_model\": {\"ground_truth\": \"42\", \"style\": \"rule\"}}", 1)]
    [TestCase("it is -5", "{\"answer\": \"5\"}", 0)]
    // Beyond a decimal: it is the last number, and no answer; 42 before it is none either.
    [TestCase("42 and then 99999999999999999999999999999999", "{\"answer\": 42}", 0)]
    [TestCase("42 and then 0.000000000000000000000000000000001", "{\"answer\": 0}", 1)]
    [TestCase("-79228162514264337593543950335", "{\"answer\": \"79228162514264337593543950335\"}", 0)]
    [TestCase("79228162514264337593543950335", "{\"answer\": \"-1\"}", 0)]
    [TestCase("79228162514264337593543950335", "{\"answer\": \"79228162514264337593543950335\"}", 1)]
    [TestCase("-0", "{\"answer\": 0}", 1)]
    public void NumericAnswers(string response, string metadata, double expected) => Assert.That(Score("numeric-answer", response, metadata), Is.EqualTo(expected));

    [Test]
    public void NumericAnswersComeFromColumnsToo() => Assert.Multiple(() =>
    {
        Assert.That(Score("numeric-answer", "42", columns: new() { ["answer"] = "6·7, #### 42" }), Is.EqualTo(1));
        Assert.That(Score("numeric-answer", "42", columns: new() { ["reward_model"] = "{\"ground_truth\": 42}" }), Is.EqualTo(1));
        Assert.That(Score("numeric-answer:tolerance=0.5", "42.4", columns: new() { ["answer"] = "42" }), Is.EqualTo(1));
        Assert.That(Score("numeric-answer:tolerance=1", "0.5", columns: new() { ["answer"] = "-0.5" }), Is.EqualTo(1), "1 apart on both sides of 0");
        Assert.That(Score("numeric-answer:tolerance=1", "0.5", columns: new() { ["answer"] = "-0.75" }), Is.Zero);
        Assert.That(Score("numeric-answer:tolerance=1000000000", "79228162514264337593543950335", columns: new() { ["answer"] = "-5" }), Is.Zero);
        Assert.That(Score("numeric-answer", "42"), Is.Null, "a row that expects no number has no reward");
    });

    [Test]
    public void LengthInTokensNeedsTokens() => Assert.Multiple(() =>
    {
        Assert.That(Score("length:target=4,width=4,unit=tokens", "x", tokens: 5), Is.EqualTo(0.75));
        Assert.That(Score("length:unit=tokens", "x"), Is.Null);
    });

    [TestCase("politeness", "There is no rule 'politeness'. Rules: length, repetition, variety, lexicon, regex, numeric-answer.")]
    [TestCase("length:goal=3", "Rule 'length' has no argument 'goal'; it takes target, width, unit.")]
    [TestCase("length:target=x", "Rule 'length': target is 'x'; it must be a number between 0 and 1000000000.")]
    [TestCase("length:target", "Rule 'length': 'target' is not of the form key=value, as in length:key=value,key=value.")]
    [TestCase("length:target=1,target=2", "Rule 'length': 'target' is given twice.")]
    [TestCase("length:unit=lines", "Rule 'length': unit is 'lines'; it must be words, tokens or characters.")]
    [TestCase("regex", "Rule 'regex' needs pattern=…, as in regex:pattern=….")]
    [TestCase("lexicon:per_word=maybe", "Rule 'lexicon': per_word is 'maybe'; it must be true or false.")]
    public void ErrorsSayWhatIsExpected(string rule, string message) =>
        Assert.That(Assert.Throws<ConfigurationException>(() => RuleCatalogue.Parse(rule))!.Message, Is.EqualTo(message));

    /// <summary>A run is gone on with from any folder: the files of its rules are named in full. Commas in the path are escaped as the parser wants them.</summary>
    [Test]
    public void FilesOfRulesCanBeNamedInFull()
    {
        string folder = Directory.CreateTempSubdirectory("rlhf-rule,").FullName;
        try
        {
            string file = Path.Combine(folder, "words.tsv"), relative = Path.GetRelativePath(Environment.CurrentDirectory, file);
            File.WriteAllText(file, "good\t1\n");
            string full = RuleCatalogue.WithFullPaths($"lexicon:per_word=false,file={relative.Replace(",", "\\,", StringComparison.Ordinal)}");
            Assert.That(full, Is.EqualTo($"lexicon:per_word=false,file={file.Replace(",", "\\,", StringComparison.Ordinal)}"));
            Assert.That(RuleCatalogue.Parse(full).Files, Is.EqualTo(new[] { file }));
            Assert.That(RuleCatalogue.WithFullPaths(full), Is.EqualTo(full));
            Assert.That(RuleCatalogue.WithFullPaths("length:target=6"), Is.EqualTo("length:target=6"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Rules by name: the one list that help, configuration and errors read.</summary>
public static class RuleCatalogue
{
    /// <summary>Name, arguments and meaning of every rule.</summary>
    public static IReadOnlyDictionary<string, (string Help, Func<RuleArguments, IRewardRule> Create)> Rules { get; } =
        new Dictionary<string, (string, Func<RuleArguments, IRewardRule>)>(StringComparer.Ordinal)
        {
            ["length"] = ("length:target=40,width=20,unit=words — 1 at the target, falling linearly to 0 at ± width", a => new LengthRule(a)),
            ["repetition"] = ("repetition:n=3 — minus the share of n-grams of words seen before in the response", a => new RepetitionRule(a)),
            ["variety"] = ("variety:window=50 — share of different words, over windows of the same size", a => new LexicalVarietyRule(a)),
            ["lexicon"] = ("lexicon:file=PATH,per_word=true — sum (or mean a word) of word weights from a file of 'word<TAB>weight' lines; without file a small built-in English opinion lexicon", a => new LexiconRule(a)),
            ["regex"] = ("regex:pattern=…,score=1,otherwise=0,ignore_case=true — score when the pattern is found", a => new RegexRule(a)),
            ["numeric-answer"] = ("numeric-answer:field=answer,match=1,otherwise=0,tolerance=0 — the response's last number against the metadata's (after '####' where there is one)", a => new NumericAnswerRule(a)),
        };

    /// <summary>The rule with the files that it reads by their full paths: it can be read again from another working directory.</summary>
    /// <exception cref="RlhfException">It cannot be parsed, or a file cannot be read.</exception>
    public static string WithFullPaths(string text)
    {
        foreach (string file in Parse(text).Files)
        {
            string full = Path.GetFullPath(file);
            if (full != file) text = text.Replace($"={Escaped(file)}", $"={Escaped(full)}", StringComparison.Ordinal);
        }

        return text;
    }

    private static string Escaped(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);

    /// <summary>Parses <c>NAME</c> or <c>NAME:k=v,k=v</c>.</summary>
    /// <exception cref="ConfigurationException">Unknown rule or argument.</exception>
    public static IRewardRule Parse(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        if (!Rules.TryGetValue(name, out var rule))
        {
            throw new ConfigurationException($"There is no rule '{name}'. Rules: {string.Join(", ", Rules.Keys)}.");
        }

        var arguments = new RuleArguments(name, colon < 0 ? "" : text[(colon + 1)..]);
        IRewardRule made = rule.Create(arguments);
        arguments.RefuseUnknown();
        return made;
    }
}

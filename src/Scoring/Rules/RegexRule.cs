using System.Text.RegularExpressions;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>One score when a pattern is found in the response, another when not. Matching is bounded in time by the non-backtracking engine.</summary>
public sealed class RegexRule : IRewardRule
{
    private readonly Regex _pattern;
    private readonly double _found;
    private readonly double _otherwise;

    public RegexRule(RuleArguments arguments)
    {
        string pattern = arguments.Text("pattern");
        _found = arguments.Number("score", 1);
        _otherwise = arguments.Number("otherwise", 0);
        RegexOptions options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | (arguments.Flag("ignore_case", true) ? RegexOptions.IgnoreCase : RegexOptions.None);
        try
        {
            _pattern = new Regex(pattern, options);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ConfigurationException($"Rule 'regex': pattern '{pattern}' cannot be used: {e.Message} (look-around and back-references are not supported)", e);
        }
    }

    public string Name => "regex";

    public double? Score(in RuleInput row) => _pattern.IsMatch(row.Response) ? _found : _otherwise;
}

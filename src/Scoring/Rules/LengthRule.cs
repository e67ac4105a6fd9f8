using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>max(0, 1 − |length − target| / width), in words, tokens or characters.</summary>
public sealed class LengthRule : IRewardRule
{
    private readonly double _target;
    private readonly double _width;
    private readonly string _unit;

    public LengthRule(RuleArguments arguments)
    {
        _target = arguments.Number("target", 40, 0, 1e9);
        _width = arguments.Number("width", 20, 1e-9, 1e9);
        _unit = arguments.Text("unit", "words");
        if (_unit is not ("words" or "tokens" or "characters"))
        {
            throw new ConfigurationException($"Rule 'length': unit is '{_unit}'; it must be words, tokens or characters.");
        }
    }

    public string Name => "length";

    public double? Score(in RuleInput row)
    {
        double? length = _unit switch
        {
            "tokens" => row.ResponseTokens,
            "characters" => row.Response.Length,
            _ => Words.Of(row.Response).Count,
        };
        return length is { } n ? Math.Max(0, 1 - (Math.Abs(n - _target) / _width)) : null;
    }
}

using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>The <c>k=v,k=v</c> part of <c>NAME:k=v,k=v</c>. A backslash keeps the next character (for commas inside a pattern).</summary>
public sealed class RuleArguments
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly string _rule;

    public RuleArguments(string rule, string text)
    {
        _rule = rule;
        foreach (string part in Split(text))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) throw new ConfigurationException($"Rule '{rule}': '{part}' is not of the form key=value, as in {rule}:key=value,key=value.");
            if (!_values.TryAdd(part[..equals].Trim(), part[(equals + 1)..])) throw new ConfigurationException($"Rule '{rule}': '{part[..equals]}' is given twice.");
        }
    }

    public string Text(string key, string? fallback = null)
    {
        _read.Add(key);
        return _values.TryGetValue(key, out string? value)
            ? value
            : fallback ?? throw new ConfigurationException($"Rule '{_rule}' needs {key}=…, as in {_rule}:{key}=….");
    }

    public double Number(string key, double fallback, double minimum = double.NegativeInfinity, double maximum = double.PositiveInfinity)
    {
        _read.Add(key);
        if (!_values.TryGetValue(key, out string? text)) return fallback;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !(value >= minimum && value <= maximum))
        {
            throw new ConfigurationException($"Rule '{_rule}': {key} is '{text}'; it must be a number between {minimum} and {maximum}.");
        }

        return value;
    }

    public bool Flag(string key, bool fallback)
    {
        string text = Text(key, fallback ? "true" : "false");
        return bool.TryParse(text, out bool value) ? value : throw new ConfigurationException($"Rule '{_rule}': {key} is '{text}'; it must be true or false.");
    }

    /// <summary>Refuses keys that the rule never asked for.</summary>
    public void RefuseUnknown()
    {
        string[] unknown = [.. _values.Keys.Where(k => !_read.Contains(k))];
        if (unknown.Length == 0) return;
        string known = _read.Count == 0 ? "it takes none" : $"it takes {string.Join(", ", _read)}";
        throw new ConfigurationException($"Rule '{_rule}' has no argument '{unknown[0]}'; {known}.");
    }

    private static IEnumerable<string> Split(string text)
    {
        if (text.Length == 0) yield break;
        var part = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] is ',' or '\\') part.Append(text[++i]);
            else if (text[i] == ',')
            {
                yield return part.ToString();
                part.Clear();
            }
            else part.Append(text[i]);
        }

        yield return part.ToString();
    }
}

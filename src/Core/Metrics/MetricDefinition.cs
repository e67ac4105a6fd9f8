namespace Rlhf.Core;

/// <summary>What one logged number is.</summary>
/// <param name="Name">Its path, "policy/clip_fraction"; a part in angle brackets ("reward/&lt;name&gt;/mean") stands for any name.</param>
/// <param name="Unit">"nats", "tokens", "1" for shares and ratios, "s".</param>
/// <param name="Formula">How it is computed.</param>
/// <param name="WhatIsBad">What a bad value looks like, and what it usually means.</param>
public sealed record MetricDefinition(string Name, string Unit, string Formula, string WhatIsBad)
{
    /// <summary>True when <paramref name="name"/> is this metric, or an instance of its template.</summary>
    public bool Matches(string name)
    {
        if (!Name.Contains('<', StringComparison.Ordinal)) return Name == name;
        int open = Name.IndexOf('<', StringComparison.Ordinal), close = Name.IndexOf('>', StringComparison.Ordinal);
        string before = Name[..open], after = Name[(close + 1)..];
        return name.Length > before.Length + after.Length && name.StartsWith(before, StringComparison.Ordinal) && name.EndsWith(after, StringComparison.Ordinal)
            && !name[before.Length..^after.Length].Contains('/', StringComparison.Ordinal);
    }
}

using System.Reflection;

namespace Rlhf.Core;

/// <summary>What a configuration field or section means: one sentence. Help text and reference come from it.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Class | AttributeTargets.Field)]
public sealed class DocAttribute(string text) : Attribute
{
    public string Text { get; } = text;
}

/// <summary>The closed interval that a number (or each number of a list) must lie in; open ends on request.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RangeAttribute(double minimum, double maximum = double.PositiveInfinity) : Attribute
{
    public double Minimum { get; } = minimum;
    public double Maximum { get; } = maximum;

    /// <summary>True when the value must be greater than <see cref="Minimum"/>.</summary>
    public bool MinimumIsOpen { get; init; }

    /// <summary>True when the value must be less than <see cref="Maximum"/>.</summary>
    public bool MaximumIsOpen { get; init; }

    /// <summary>The range of a configuration field, for what takes the same number from elsewhere (an option, a caller).</summary>
    /// <param name="property">A property that has one.</param>
    /// <typeparam name="T">The configuration record.</typeparam>
    public static RangeAttribute Of<T>(string property) => typeof(T).GetProperty(property)!.GetCustomAttribute<RangeAttribute>()!;

    /// <summary>True when the value lies inside; NaN never does.</summary>
    public bool Contains(double value) =>
        (MinimumIsOpen ? value > Minimum : value >= Minimum) && (MaximumIsOpen ? value < Maximum : value <= Maximum);

    /// <summary>"between 0 and 1", "at least 1", "greater than 0 and at most 1".</summary>
    public override string ToString()
    {
        bool low = !double.IsNegativeInfinity(Minimum), high = !double.IsPositiveInfinity(Maximum);
        if (low && high && !MinimumIsOpen && !MaximumIsOpen) return $"between {ConfigText.Of(Minimum)} and {ConfigText.Of(Maximum)}";
        string lower = $"{(MinimumIsOpen ? "greater than" : "at least")} {ConfigText.Of(Minimum)}";
        string upper = $"{(MaximumIsOpen ? "less than" : "at most")} {ConfigText.Of(Maximum)}";
        return low && high ? $"{lower} and {upper}" : low ? lower : high ? upper : "any number";
    }
}

/// <summary>The texts that a string field may hold.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OneOfAttribute(params string[] choices) : Attribute
{
    public IReadOnlyList<string> Choices { get; } = choices;
}

/// <summary>The field has no default. The C# modifier <c>required</c> means the same.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RequiredAttribute : Attribute;

/// <summary>
/// A path (or list of paths) that is relative to the file it is written in, or to the current folder when given on the command line.
/// The loaded value is absolute.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PathRelativeAttribute : Attribute;

/// <summary>The field may change when a run is resumed (<c>resume --set</c>) without breaking what was already written.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SafeToChangeAttribute : Attribute;

/// <summary>A key that the field had before and is still read under; messages and files written name the new one.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FormerNameAttribute(string key) : Attribute
{
    public string Key { get; } = key;
}

using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>A reward from outside as it was named on the command line (never in a configuration file: it runs or asks foreign code).</summary>
/// <param name="Name">Column.</param>
/// <param name="Weight">Factor in the score.</param>
/// <param name="Source">Program, address or assembly, for messages.</param>
/// <param name="Open">Makes the function.</param>
public sealed record OutsideReward(string Name, double Weight, string Source, Func<IRewardFunction> Open)
{
    /// <summary>The option that named it, as <c>--reward-url</c>.</summary>
    public string Option { get; init; } = "";

    /// <summary>The assembly's file; empty for programs and endpoints.</summary>
    public string File { get; init; } = "";

    /// <summary>The option with name, weight and source in one form, for a shell: equal for equal rewards, however they were written.</summary>
    public string Argument
    {
        get
        {
            string weight = Weight == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"@{Weight:R}");
            string value = $"{Name}{weight}={(File.Length > 0 ? File : Source)}";
            return $"{Option} '{value.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        }
    }
}

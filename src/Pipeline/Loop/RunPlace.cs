using System.Globalization;
using System.Text.RegularExpressions;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>Where a run is at work: told when it is stopped, and line by line with --log-level debug, which <c>rlhf bench kills</c> aims by.</summary>
public sealed partial class RunPlace
{
    public const string Generation = "generation", Scoring = "scoring", Optimization = "optimization", Export = "export", Checkpoint = "checkpoint", CleanUp = "clean-up", End = "end", RewardTraining = "reward training";

    /// <summary>For "Stopped …": "in iteration 3, while responses were drawn".</summary>
    public string Text { get; set; } = "before the first iteration";

    /// <summary>A stage of an iteration begins.</summary>
    /// <param name="iteration">From 1.</param>
    /// <param name="stage">One of the constants.</param>
    /// <param name="text">What a run that is stopped here says.</param>
    public void Enter(int iteration, string stage, string text)
    {
        Text = $"in iteration {iteration}, {text}";
        Tell(iteration, stage);
    }

    /// <summary>One line for --log-level debug.</summary>
    public static void Tell(int iteration, string what)
    {
        if (Log.Level >= LogLevel.Debug) Log.Debug(string.Create(CultureInfo.InvariantCulture, $"iteration {iteration}: {what}"));
    }

    /// <summary>Reads a line of <see cref="Tell"/>; null for any other.</summary>
    public static (int Iteration, string What)? Parse(string line) =>
        Told().Match(line) is { Success: true } m ? (int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture), m.Groups[2].Value) : null;

    [GeneratedRegex(@"^debug: iteration (\d{1,9}): (.+)$")]
    private static partial Regex Told();
}

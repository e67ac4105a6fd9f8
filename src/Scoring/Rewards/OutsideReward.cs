namespace Rlhf.Scoring;

/// <summary>A reward from outside as it was named on the command line (never in a configuration file: it runs or asks foreign code).</summary>
/// <param name="Name">Column.</param>
/// <param name="Weight">Factor in the score.</param>
/// <param name="Source">Program, address or assembly, for messages.</param>
/// <param name="Open">Makes the function.</param>
public sealed record OutsideReward(string Name, double Weight, string Source, Func<IRewardFunction> Open);

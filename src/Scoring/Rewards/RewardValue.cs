namespace Rlhf.Scoring;

/// <summary>One reward of one row.</summary>
/// <param name="Total">The reward (the sum where it is per token); null: none, the row is left out of the score and counted.</param>
/// <param name="PerToken">[responseTokens] where the reward is dense.</param>
public readonly record struct RewardValue(double? Total, float[]? PerToken = null);

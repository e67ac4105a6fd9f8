namespace Rlhf.Core;

/// <summary>When an iteration's numbers are told as a warning (section <c>guards</c>); none of these stops a run. A bound of 0 is off.</summary>
public sealed record GuardConfig
{
    [Doc("Largest ratio π/π_old of one token that is not worth a warning; 0: never warn."), Range(0, 1e30)]
    public double RatioLimit { get; init; } = 1000;

    [Doc("Largest mean KL(π_old‖π) of one update, nats per token, that is not worth a warning; 0: never warn."), Range(0, 1e6)]
    public double UpdateKlLimit { get; init; } = 0.5;

    [Doc("KL budget: mean k3 of KL(π‖reference), nats per token; 0: none."), Range(0, 1e6)]
    public double KlBudget { get; init; } = 0.5;

    [Doc("Share of the first iteration's entropy below which the policy counts as collapsing; 0: never warn."), Range(0, 1)]
    public double EntropyShare { get; init; } = 0.25;

    [Doc("Largest |score| that the rewards are meant to give; 0: method.reward_clip."), Range(0, 1e9)]
    public double ScoreLimit { get; init; }

    [Doc("Factor by which the mean response length may grow or shrink from the first iteration's; 0: any."), Range(0, 1e6)]
    public double LengthFactor { get; init; } = 2;
}

/// <summary>What a run does after NaN, Inf or a failed equality gate (section <c>recovery</c>).</summary>
public sealed record RecoveryConfig
{
    [Doc("Times in a row that one iteration may be made again from the last good checkpoint, each time with a lower learning rate; 0: the run stops."), Range(0, 100)]
    public int StepsBack { get; init; }

    [Doc("The learning rate's factor at each step back; it stays for the rest of the run."), Range(0, 1, MinimumIsOpen = true)]
    public double LearningRateFactor { get; init; } = 0.5;
}

namespace Rlhf.Export;

/// <summary>How far two engines' probabilities of the same tokens are apart.</summary>
/// <param name="Tokens">Tokens compared.</param>
/// <param name="MeanProbabilityDifference">mean |p − p′|.</param>
/// <param name="MeanRatio">mean exp |log p − log p′|.</param>
/// <param name="MaxLogProbDifference">max |log p − log p′|.</param>
public sealed record GateResult(int Tokens, double MeanProbabilityDifference, double MeanRatio, double MaxLogProbDifference)
{
    /// <summary>Largest mean |Δp| that passes: above it, engines are known to have a precision problem.</summary>
    public const double ProbabilityLimit = 0.005;

    /// <summary>Largest mean exp|Δ log p| that passes.</summary>
    public const double RatioLimit = 1.01;

    /// <summary>True when both means are below their limits; false for NaN.</summary>
    public bool Passed => MeanProbabilityDifference < ProbabilityLimit && MeanRatio < RatioLimit;
}

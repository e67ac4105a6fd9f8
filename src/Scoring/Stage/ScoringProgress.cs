namespace Rlhf.Scoring;

/// <summary>How far a scoring run is.</summary>
/// <param name="Rows">Rows computed, or where <paramref name="IsWriting"/> rows written.</param>
/// <param name="Before">Of them by an earlier run, whose work this one goes on from.</param>
/// <param name="IsWriting">True: all rows are computed, and the output is being written. Behind its last row it is joined with the input's columns.</param>
public readonly record struct ScoringProgress(long Rows, long Before, bool IsWriting);

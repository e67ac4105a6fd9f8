namespace Rlhf.Optimization;

/// <summary>One training example of a reward model.</summary>
/// <param name="Texts">Tokens of one text (labels, scores, steps), of chosen and rejected (pairwise), or of K answers, best first.</param>
/// <param name="Label">Label 0/1, score, or a pair's own margin.</param>
/// <param name="Row">Row in the data, for messages and hold-out.</param>
public sealed record RewardExample(int[][] Texts, double Label, long Row)
{
    /// <summary>Process rewards: [steps] labels 0/1.</summary>
    public double[]? StepLabels { get; init; }

    /// <summary>Process rewards: [steps] position of each step's last token in the text.</summary>
    public int[]? StepEnds { get; init; }
}

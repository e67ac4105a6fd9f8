namespace Rlhf.Algorithms;

/// <summary>Pairs as a preference loss reads them: one number a sequence, reduced as <see cref="IPreferenceLoss.Reduction"/> says.</summary>
public readonly ref struct PreferenceBatch
{
    /// <summary>[pairs] of the preferred responses, under the weights being trained.</summary>
    public required ReadOnlySpan<double> Chosen { get; init; }

    /// <summary>[pairs] of the others.</summary>
    public required ReadOnlySpan<double> Rejected { get; init; }

    /// <summary>[pairs] under the reference; may be empty where <see cref="IPreferenceLoss.NeedsReference"/> is false.</summary>
    public ReadOnlySpan<double> ReferenceChosen { get; init; }

    /// <summary>[pairs] under the reference; may be empty where <see cref="IPreferenceLoss.NeedsReference"/> is false.</summary>
    public ReadOnlySpan<double> ReferenceRejected { get; init; }

    internal int Check(bool needsReference, int chosenGradient, int rejectedGradient)
    {
        int pairs = Chosen.Length;
        Require.Length(Rejected.Length, pairs, nameof(Rejected));
        if (needsReference)
        {
            Require.Length(ReferenceChosen.Length, pairs, nameof(ReferenceChosen));
            Require.Length(ReferenceRejected.Length, pairs, nameof(ReferenceRejected));
        }

        Require.Length(chosenGradient, pairs, "gradientChosen");
        Require.Length(rejectedGradient, pairs, "gradientRejected");
        return pairs;
    }
}

/// <summary>Sums over pairs; those of micro-batches add up.</summary>
/// <param name="Loss">Already scaled by the global pair count.</param>
/// <param name="Pairs">Pairs.</param>
/// <param name="Correct">Pairs whose implicit reward prefers the chosen response.</param>
/// <param name="ChosenRewardSum">Σ of the chosen responses' implicit rewards.</param>
/// <param name="RejectedRewardSum">Σ of the rejected responses' implicit rewards.</param>
public readonly record struct PreferenceLossSums(double Loss, long Pairs, long Correct, double ChosenRewardSum, double RejectedRewardSum)
{
    /// <summary>Share of correct pairs.</summary>
    public double Accuracy => Pairs == 0 ? 0 : (double)Correct / Pairs;

    /// <summary>Mean difference of the implicit rewards.</summary>
    public double Margin => Pairs == 0 ? 0 : (ChosenRewardSum - RejectedRewardSum) / Pairs;

    public static PreferenceLossSums operator +(PreferenceLossSums a, PreferenceLossSums b) => new(
        a.Loss + b.Loss, a.Pairs + b.Pairs, a.Correct + b.Correct, a.ChosenRewardSum + b.ChosenRewardSum, a.RejectedRewardSum + b.RejectedRewardSum);

    public static PreferenceLossSums Add(PreferenceLossSums left, PreferenceLossSums right) => left + right;

    internal PreferenceLossSums With(double loss, double chosenReward, double rejectedReward) => new(
        Loss + loss, Pairs + 1, Correct + (chosenReward > rejectedReward ? 1 : 0), ChosenRewardSum + chosenReward, RejectedRewardSum + rejectedReward);
}

/// <summary>A loss on pairs of responses to one prompt.</summary>
public interface IPreferenceLoss
{
    /// <summary>How <see cref="SequenceLogProbs"/> reduces the tokens for this loss.</summary>
    SequenceReduction Reduction { get; }

    /// <summary>Whether it reads the reference's log-probs.</summary>
    bool NeedsReference { get; }

    /// <summary>Writes the gradients with respect to the reduced log-probs; returns the sums.</summary>
    /// <param name="batch">[pairs].</param>
    /// <param name="scale">1 / pairs of the whole optimiser step.</param>
    /// <param name="gradientChosen">[pairs] written.</param>
    /// <param name="gradientRejected">[pairs] written.</param>
    PreferenceLossSums Evaluate(in PreferenceBatch batch, double scale, Span<double> gradientChosen, Span<double> gradientRejected);
}

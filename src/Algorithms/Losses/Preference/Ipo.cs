namespace Rlhf.Algorithms;

/// <summary>
/// Identity preference optimisation (Azar et al. 2023, "A general theoretical paradigm to understand learning from human preferences", equation 17),
/// h as in <see cref="Dpo"/>: L = (h − 1/(2β))². Implicit reward: β (log π − log π_ref).
/// The paper's h is a sum over tokens; its authors later advised the mean: both are offered.
/// </summary>
public sealed class Ipo : IPreferenceLoss
{
    private readonly double _beta;

    /// <param name="beta">β &gt; 0 (the paper's τ).</param>
    /// <param name="reduction">Sum or mean over tokens.</param>
    public Ipo(double beta = 0.1, SequenceReduction reduction = SequenceReduction.Sum)
    {
        Require.Range(beta > 0, beta, "positive");
        (_beta, Reduction) = (beta, reduction);
    }

    /// <inheritdoc/>
    public SequenceReduction Reduction { get; }

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public PreferenceLossSums Evaluate(in PreferenceBatch batch, double scale, Span<double> gradientChosen, Span<double> gradientRejected)
    {
        PreferenceLossSums sums = default;
        int pairs = batch.Check(NeedsReference, gradientChosen.Length, gradientRejected.Length);
        for (int i = 0; i < pairs; i++)
        {
            double chosen = batch.Chosen[i] - batch.ReferenceChosen[i], rejected = batch.Rejected[i] - batch.ReferenceRejected[i];
            double distance = chosen - rejected - (1 / (2 * _beta));
            gradientChosen[i] = scale * 2 * distance;
            gradientRejected[i] = -gradientChosen[i];
            sums = sums.With(scale * distance * distance, _beta * chosen, _beta * rejected);
        }

        return sums;
    }
}

namespace Rlhf.Algorithms;

/// <summary>
/// SimPO (Meng et al. 2024, equation 6), ℓ̄ = mean token log-prob: L = −log σ(β (ℓ̄⁺ − ℓ̄⁻) − γ). No reference. Implicit reward: β ℓ̄.
/// </summary>
public sealed class SimPo : IPreferenceLoss
{
    private readonly double _beta;
    private readonly double _margin;

    /// <param name="beta">β &gt; 0.</param>
    /// <param name="margin">γ ≥ 0: target difference of the rewards.</param>
    public SimPo(double beta = 2, double margin = 1)
    {
        Require.Range(beta > 0, beta, "positive");
        Require.Range(margin >= 0, margin, "at least 0");
        (_beta, _margin) = (beta, margin);
    }

    /// <inheritdoc/>
    public SequenceReduction Reduction => SequenceReduction.Mean;

    /// <inheritdoc/>
    public bool NeedsReference => false;

    /// <inheritdoc/>
    public PreferenceLossSums Evaluate(in PreferenceBatch batch, double scale, Span<double> gradientChosen, Span<double> gradientRejected)
    {
        PreferenceLossSums sums = default;
        int pairs = batch.Check(NeedsReference, gradientChosen.Length, gradientRejected.Length);
        for (int i = 0; i < pairs; i++)
        {
            double chosen = _beta * batch.Chosen[i], rejected = _beta * batch.Rejected[i], x = chosen - rejected - _margin;
            gradientRejected[i] = scale * _beta * Logistic.Sigmoid(-x);
            gradientChosen[i] = -gradientRejected[i];
            sums = sums.With(-scale * Logistic.LogSigmoid(x), chosen, rejected);
        }

        return sums;
    }
}

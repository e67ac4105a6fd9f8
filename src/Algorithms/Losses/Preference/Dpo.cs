namespace Rlhf.Algorithms;

/// <summary>
/// Direct preference optimisation (Rafailov et al. 2023, equation 7), h = (log π⁺ − log π_ref⁺) − (log π⁻ − log π_ref⁻):
/// L = −(1 − ε) log σ(β h) − ε log σ(−β h). ε &gt; 0 is cDPO (Mitchell 2023) for labels that are wrong with probability ε.
/// Implicit reward: β (log π − log π_ref).
/// </summary>
public sealed class Dpo : IPreferenceLoss
{
    private readonly double _beta;
    private readonly double _smoothing;

    /// <param name="beta">β &gt; 0.</param>
    /// <param name="labelSmoothing">ε in [0, ½).</param>
    public Dpo(double beta = 0.1, double labelSmoothing = 0)
    {
        Require.Range(beta > 0, beta, "positive");
        Require.Range(labelSmoothing is >= 0 and < 0.5, labelSmoothing, "in [0, 0.5)");
        (_beta, _smoothing) = (beta, labelSmoothing);
    }

    /// <inheritdoc/>
    public SequenceReduction Reduction => SequenceReduction.Sum;

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public PreferenceLossSums Evaluate(in PreferenceBatch batch, double scale, Span<double> gradientChosen, Span<double> gradientRejected)
    {
        PreferenceLossSums sums = default;
        int pairs = batch.Check(NeedsReference, gradientChosen.Length, gradientRejected.Length);
        for (int i = 0; i < pairs; i++)
        {
            double chosen = _beta * (batch.Chosen[i] - batch.ReferenceChosen[i]), rejected = _beta * (batch.Rejected[i] - batch.ReferenceRejected[i]);
            double x = chosen - rejected;
            double loss = -((1 - _smoothing) * Logistic.LogSigmoid(x)) - (_smoothing == 0 ? 0 : _smoothing * Logistic.LogSigmoid(-x));
            gradientChosen[i] = scale * _beta * ((_smoothing * Logistic.Sigmoid(x)) - ((1 - _smoothing) * Logistic.Sigmoid(-x)));
            gradientRejected[i] = -gradientChosen[i];
            sums = sums.With(scale * loss, chosen, rejected);
        }

        return sums;
    }
}

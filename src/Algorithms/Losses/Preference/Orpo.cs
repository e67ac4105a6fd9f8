namespace Rlhf.Algorithms;

/// <summary>
/// ORPO (Hong et al. 2024, "ORPO: monolithic preference optimization without reference model", equations 4 to 7), ℓ̄ = mean token log-prob, p = exp ℓ̄:
/// L = −ℓ̄⁺ − λ log σ(log odds⁺ − log odds⁻),  log odds = log p − log(1 − p). Implicit reward: λ ℓ̄.
/// Deviation 1: ℓ̄ is held below −1e−7 in the odds, where 1 − p would vanish.
/// </summary>
public sealed class Orpo : IPreferenceLoss
{
    private const double LargestLogProb = -1e-7;
    private readonly double _lambda;

    /// <param name="lambda">λ &gt; 0: weight of the odds ratio beside the likelihood of the chosen response.</param>
    public Orpo(double lambda = 0.1)
    {
        Require.Range(lambda > 0, lambda, "positive");
        _lambda = lambda;
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
            double x = LogOdds(batch.Chosen[i], out double slopeChosen) - LogOdds(batch.Rejected[i], out double slopeRejected);
            double pull = scale * _lambda * Logistic.Sigmoid(-x);
            gradientChosen[i] = -scale - (pull * slopeChosen);
            gradientRejected[i] = pull * slopeRejected;
            sums = sums.With(scale * (-batch.Chosen[i] - (_lambda * Logistic.LogSigmoid(x))), _lambda * batch.Chosen[i], _lambda * batch.Rejected[i]);
        }

        return sums;
    }

    private static double LogOdds(double logProb, out double slope)
    {
        double held = Math.Min(logProb, LargestLogProb), p = Math.Exp(held);
        slope = logProb > LargestLogProb ? 0 : 1 / (1 - p);
        return held - Logistic.Log1p(-p);
    }
}

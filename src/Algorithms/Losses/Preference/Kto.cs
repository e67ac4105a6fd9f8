namespace Rlhf.Algorithms;

/// <summary>
/// Kahneman–Tversky optimisation (Ethayarajh et al. 2024, equations 7 and 8) on single responses marked good or bad, r = log π − log π_ref:
/// good: L = λ_D (1 − σ(β (r − z)));  bad: L = λ_U (1 − σ(β (z − r))).
/// z = max(0, mean of log π(y'|x) − log π_ref(y'|x) over mismatched pairs) is the paper's estimate of the KL; no gradient goes through it.
/// Implicit reward: β r.
/// </summary>
public sealed class Kto
{
    private readonly double _beta;
    private readonly double _desirable;
    private readonly double _undesirable;

    /// <param name="beta">β &gt; 0.</param>
    /// <param name="desirableWeight">λ_D &gt; 0.</param>
    /// <param name="undesirableWeight">λ_U &gt; 0.</param>
    public Kto(double beta = 0.1, double desirableWeight = 1, double undesirableWeight = 1)
    {
        Require.Range(beta > 0, beta, "positive");
        Require.Range(desirableWeight > 0, desirableWeight, "positive");
        Require.Range(undesirableWeight > 0, undesirableWeight, "positive");
        (_beta, _desirable, _undesirable) = (beta, desirableWeight, undesirableWeight);
    }

    /// <summary>z from prompts paired with other prompts' responses; 0 without any. Take it over the whole optimiser step.</summary>
    public static double ReferencePoint(ReadOnlySpan<double> mismatchedLogProbs, ReadOnlySpan<double> mismatchedReferenceLogProbs)
    {
        Require.Length(mismatchedReferenceLogProbs.Length, mismatchedLogProbs.Length, nameof(mismatchedReferenceLogProbs));
        double sum = 0;
        for (int i = 0; i < mismatchedLogProbs.Length; i++) sum += mismatchedLogProbs[i] - mismatchedReferenceLogProbs[i];
        return mismatchedLogProbs.IsEmpty ? 0 : Math.Max(0, sum / mismatchedLogProbs.Length);
    }

    /// <summary>Writes ∂L/∂(Σ_t log π_t) of every response; returns L.</summary>
    /// <param name="logProbs">[responses] sums over tokens.</param>
    /// <param name="referenceLogProbs">[responses] sums under the reference.</param>
    /// <param name="desirable">[responses] true = marked good.</param>
    /// <param name="referencePoint">z.</param>
    /// <param name="scale">1 / responses of the whole optimiser step.</param>
    /// <param name="gradient">[responses] written.</param>
    public double Evaluate(
        ReadOnlySpan<double> logProbs, ReadOnlySpan<double> referenceLogProbs, ReadOnlySpan<bool> desirable, double referencePoint, double scale,
        Span<double> gradient)
    {
        Require.Length(referenceLogProbs.Length, logProbs.Length, nameof(referenceLogProbs));
        Require.Length(desirable.Length, logProbs.Length, nameof(desirable));
        Require.Length(gradient.Length, logProbs.Length, nameof(gradient));
        double loss = 0;
        for (int i = 0; i < logProbs.Length; i++)
        {
            double sign = desirable[i] ? 1 : -1, weight = scale * (desirable[i] ? _desirable : _undesirable);
            double x = sign * _beta * (logProbs[i] - referenceLogProbs[i] - referencePoint);
            loss += weight * Logistic.Sigmoid(-x);
            gradient[i] = -weight * sign * _beta * Logistic.Sigmoid(x) * Logistic.Sigmoid(-x);
        }

        return loss;
    }
}

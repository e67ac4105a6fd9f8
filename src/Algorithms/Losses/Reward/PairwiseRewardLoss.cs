namespace Rlhf.Algorithms;

/// <summary>
/// Bradley–Terry loss of a reward model (Ouyang et al. 2022, equation 1; margin: Touvron et al. 2023, Llama 2, equation 2):
/// L = Σ_i s · −log σ(r⁺_i − r⁻_i − m_i).
/// </summary>
public static class PairwiseRewardLoss
{
    /// <summary>Writes ∂L/∂r⁺ and ∂L/∂r⁻; returns L.</summary>
    /// <param name="chosen">[pairs] r⁺.</param>
    /// <param name="rejected">[pairs] r⁻.</param>
    /// <param name="margins">[pairs] m, or empty: 0.</param>
    /// <param name="scale">s = 1 / pairs of the whole optimiser step.</param>
    /// <param name="gradientChosen">[pairs] written.</param>
    /// <param name="gradientRejected">[pairs] written.</param>
    public static double Evaluate(
        ReadOnlySpan<double> chosen, ReadOnlySpan<double> rejected, ReadOnlySpan<double> margins, double scale,
        Span<double> gradientChosen, Span<double> gradientRejected)
    {
        int n = chosen.Length;
        Require.Length(rejected.Length, n, nameof(rejected));
        Require.EmptyOrLength(margins.Length, n, nameof(margins));
        Require.Length(gradientChosen.Length, n, nameof(gradientChosen));
        Require.Length(gradientRejected.Length, n, nameof(gradientRejected));
        double loss = 0;
        for (int i = 0; i < n; i++)
        {
            double x = chosen[i] - rejected[i] - (margins.IsEmpty ? 0 : margins[i]);
            loss -= scale * Logistic.LogSigmoid(x);
            gradientRejected[i] = scale * Logistic.Sigmoid(-x);
            gradientChosen[i] = -gradientRejected[i];
        }

        return loss;
    }
}

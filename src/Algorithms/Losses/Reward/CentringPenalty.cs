namespace Rlhf.Algorithms;

/// <summary>
/// Centring of reward-model scores (Eisenstein et al. 2023, "Helping or herding?"): L = c Σ_i s (r⁺_i + r⁻_i)². The Bradley–Terry loss knows only
/// differences; this pins the scores' zero.
/// </summary>
public static class CentringPenalty
{
    /// <summary>Adds ∂L/∂r⁺ and ∂L/∂r⁻ to the gradients; returns L.</summary>
    public static double Add(
        ReadOnlySpan<double> chosen, ReadOnlySpan<double> rejected, double coefficient, double scale,
        Span<double> gradientChosen, Span<double> gradientRejected)
    {
        Require.Length(rejected.Length, chosen.Length, nameof(rejected));
        Require.Length(gradientChosen.Length, chosen.Length, nameof(gradientChosen));
        Require.Length(gradientRejected.Length, chosen.Length, nameof(gradientRejected));
        double loss = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            double sum = chosen[i] + rejected[i];
            loss += coefficient * scale * sum * sum;
            gradientChosen[i] += 2 * coefficient * scale * sum;
            gradientRejected[i] += 2 * coefficient * scale * sum;
        }

        return loss;
    }
}

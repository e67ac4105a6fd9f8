namespace Rlhf.Algorithms;

/// <summary>
/// A discriminator D = σ(d) between people's texts and the policy's (Goodfellow et al. 2014; as a reward: Ho and Ermon 2016, GAIL):
/// L = −½ s⁺ Σ log σ(d⁺) − ½ s⁻ Σ log σ(−d⁻), so both sides count the same however many texts each has.
/// </summary>
public static class DiscriminatorLoss
{
    /// <summary>Writes ∂L/∂d of both sides; returns L.</summary>
    /// <param name="human">[texts] d of people's texts.</param>
    /// <param name="policy">[texts] d of the policy's texts.</param>
    /// <param name="humanScale">s⁺ = 1 / people's texts of the whole optimiser step.</param>
    /// <param name="policyScale">s⁻ = 1 / the policy's texts of the whole optimiser step.</param>
    /// <param name="gradientHuman">written.</param>
    /// <param name="gradientPolicy">written.</param>
    public static double Evaluate(
        ReadOnlySpan<double> human, ReadOnlySpan<double> policy, double humanScale, double policyScale,
        Span<double> gradientHuman, Span<double> gradientPolicy)
    {
        Require.Length(gradientHuman.Length, human.Length, nameof(gradientHuman));
        Require.Length(gradientPolicy.Length, policy.Length, nameof(gradientPolicy));
        double loss = 0;
        for (int i = 0; i < human.Length; i++)
        {
            loss -= 0.5 * humanScale * Logistic.LogSigmoid(human[i]);
            gradientHuman[i] = -0.5 * humanScale * Logistic.Sigmoid(-human[i]);
        }

        for (int i = 0; i < policy.Length; i++)
        {
            loss -= 0.5 * policyScale * Logistic.LogSigmoid(-policy[i]);
            gradientPolicy[i] = 0.5 * policyScale * Logistic.Sigmoid(policy[i]);
        }

        return loss;
    }
}

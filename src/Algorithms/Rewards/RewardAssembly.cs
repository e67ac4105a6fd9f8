namespace Rlhf.Algorithms;

/// <summary>
/// Token rewards of a response (Ziegler et al. 2019; Stiennon et al. 2020): r_t = −β k(log π_t, log π_ref,t) + [t = last] · score.
/// The score lands on the last real token, EOS included: index n − 1 of n. Log-probs are those of the policy that is about to be trained,
/// before its first update.
/// Deviation 1: with a masked tail (tool output after the policy's last own token) "last" is the last trained-on token, the last decision.
/// </summary>
public static class RewardAssembly
{
    /// <summary>Fills token rewards, 0 where not trained on; returns the mean over sequences of Σ_t k_t (nats per sequence).</summary>
    /// <param name="offsets">[sequences + 1].</param>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="scores">[sequences] shaped scores.</param>
    /// <param name="logProbs">[tokens] of the policy.</param>
    /// <param name="referenceLogProbs">[tokens] of the reference.</param>
    /// <param name="klCoefficient">β; 0 leaves the KL out of the reward (it is still measured).</param>
    /// <param name="estimator">k.</param>
    /// <param name="rewards">[tokens] written.</param>
    /// <param name="tokenRewards">[tokens] dense rewards to add, or empty.</param>
    public static double Fill(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> scores, ReadOnlySpan<double> logProbs,
        ReadOnlySpan<double> referenceLogProbs, double klCoefficient, KlEstimator estimator, Span<double> rewards,
        ReadOnlySpan<double> tokenRewards = default)
    {
        int tokens = responseMask.Length;
        Require.Ragged(offsets, tokens);
        Require.Length(scores.Length, RaggedOffsets.SequenceCount(offsets), nameof(scores));
        Require.Length(logProbs.Length, tokens, nameof(logProbs));
        Require.Length(referenceLogProbs.Length, tokens, nameof(referenceLogProbs));
        Require.Length(rewards.Length, tokens, nameof(rewards));
        Require.EmptyOrLength(tokenRewards.Length, tokens, nameof(tokenRewards));
        double klSum = 0;
        int sequences = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            int last = -1;
            for (int t = offsets[i]; t < offsets[i + 1]; t++)
            {
                if (!responseMask[t])
                {
                    rewards[t] = 0;
                    continue;
                }

                double kl = KlEstimators.Estimate(estimator, logProbs[t], referenceLogProbs[t]);
                klSum += kl;
                rewards[t] = (tokenRewards.IsEmpty ? 0 : tokenRewards[t]) - (klCoefficient == 0 ? 0 : klCoefficient * kl);
                last = t;
            }

            if (last < 0) continue;
            rewards[last] += scores[i];
            sequences++;
        }

        return sequences == 0 ? 0 : klSum / sequences;
    }
}

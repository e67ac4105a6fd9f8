using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>One advantage a response, from the rewards of all responses to its prompt, given to each of its tokens.</summary>
internal static class GroupAdvantages
{
    /// <summary>As <see cref="Grpo.Advantages"/> and its like.</summary>
    public delegate void Estimator(ReadOnlySpan<int> groups, ReadOnlySpan<double> rewards, ReadOnlySpan<bool> valid, Span<double> advantages);

    /// <exception cref="BadDataException">No prompt has two responses.</exception>
    public static void Fill(TrajectoryBatch b, double gamma, Estimator estimator)
    {
        if (b.Groups.Where((_, i) => b.Scored[i]).GroupBy(g => g).All(g => g.Count() == 1))
        {
            throw new BadDataException($"Each of the {b.Scored.Count(s => s)} scored responses is alone with its prompt; a group method compares at least two responses to one prompt. Draw with generation.samples_per_prompt of 2 or more.");
        }

        double[] rewards = OfSequences(b), advantages = new double[rewards.Length];
        estimator(b.Groups, rewards, b.Scored, advantages);
        RaggedOffsets.Spread(b.Offsets, b.ResponseMask, advantages, b.Advantages);
        MonteCarlo.Returns(b.Offsets, b.ResponseMask, b.Rewards, gamma, b.Returns);
    }

    /// <summary>[responses] Σ_t r_t: the shaped score, and what else the tokens' rewards hold.</summary>
    public static double[] OfSequences(TrajectoryBatch b)
    {
        double[] sums = new double[b.Sequences.Count];
        for (int i = 0; i < sums.Length; i++)
            for (int t = b.Offsets[i]; t < b.Offsets[i + 1]; t++) sums[i] += b.Rewards[t];
        return sums;
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>The samples by which a pushed run fooled its reward model, in two halves of different prompts.</summary>
internal sealed record HackedSamples(IReadOnlyList<Negative> Training, IReadOnlyList<Negative> HeldOut)
{
    private const int LastIterations = 6;

    /// <summary>Selected as section <c>reward_training</c> selects, from the last iterations.</summary>
    public static HackedSamples Of(string run, RunConfig config)
    {
        RewardTrainingConfig section = config.RewardTraining;
        double limit = AdversarialSelection.Limit([.. ScoredFile.Read(Scored(run, 1)).Select(LogProb)], section.BottomShare);
        var found = new List<Negative>();
        for (int i = config.Iterations - LastIterations + 1; i <= config.Iterations; i++)
        {
            ScoredRollout[] rows = [.. ScoredFile.Read(Scored(run, i)).Where(r => r.Rollout.Response.Length > 0)];
            double[] rewards = [.. rows.Select(r => r.Scores.Rewards[section.Reward])], logProbs = [.. rows.Select(LogProb)];
            found.AddRange(AdversarialSelection.Select(rewards, logProbs, section.TopShare, limit).Select(k => new Negative(
                i, rows[k].Rollout.PromptId, rows[k].Rollout.SampleId, rows[k].Rollout.Prompt, rows[k].Rollout.Response, rewards[k], logProbs[k])));
        }

        List<Negative> once = NegativesFile.Merge([], found, responseOnly: false, 0, config.Seed);
        return new HackedSamples([.. once.Where(n => IsForTraining(n, config.Seed))], [.. once.Where(n => !IsForTraining(n, config.Seed))]);
    }

    public static string Scored(string run, int iteration) => Path.Combine(run, "iterations", $"{iteration:0000}", "scored.parquet");

    private static double LogProb(ScoredRollout row) => row.Scores.ReferenceLogprobs!.Average(p => (double)p);

    private static bool IsForTraining(Negative n, ulong seed) => AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, 0x4841, (uint)AddressedRandom.Key(n.PromptId)) < 0.5;
}

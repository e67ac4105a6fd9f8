using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>Which responses of an iteration fooled the reward model: high rewards for texts that the reference finds unlikely.</summary>
internal sealed class NegativeSelection(RewardTrainingConfig section, RunDirectory run)
{
    private double _limit = double.NaN;

    /// <param name="iteration">From 1.</param>
    /// <param name="rows">Its scored responses.</param>
    public List<Negative> Of(int iteration, IReadOnlyList<ScoredRollout> rows)
    {
        ScoredRollout[] judged = [.. rows.Where(IsJudged)];
        double[] rewards = [.. judged.Select(r => r.Scores.Rewards[section.Reward])], logProbs = [.. judged.Select(Mean)];
        double limit = section.BottomOf == LikelihoodBaseline.Iteration ? AdversarialSelection.Limit(logProbs, section.BottomShare) : LimitOfFirst(iteration, logProbs);
        return
        [
            .. AdversarialSelection.Select(rewards, logProbs, section.TopShare, limit).Select(i => new Negative(
                iteration, judged[i].Rollout.PromptId, judged[i].Rollout.SampleId, judged[i].Rollout.Prompt, judged[i].Rollout.Response, rewards[i], logProbs[i])),
        ];
    }

    // The first iteration's responses were drawn by the policy as it came: what counts as unlikely is told by them for the whole run.
    private double LimitOfFirst(int iteration, double[] logProbs)
    {
        if (!double.IsNaN(_limit)) return _limit;
        double[] first = iteration == 1
            ? logProbs
            : [.. ScoredFile.Read(Path.Combine(run.Iteration(1).Folder, "scored*.parquet")).Where(IsJudged).Select(Mean)];
        return _limit = AdversarialSelection.Limit(first, section.BottomShare);
    }

    private bool IsJudged(ScoredRollout row) => row.Scores.ReferenceLogprobs is { Length: > 0 } && row.Rollout.Response.Length > 0 && row.Scores.Rewards.ContainsKey(section.Reward);

    private static double Mean(ScoredRollout row) => row.Scores.ReferenceLogprobs!.Average(p => (double)p);
}

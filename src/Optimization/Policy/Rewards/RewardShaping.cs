using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>From scores to token rewards, in the order of the configuration: baselines, penalties, scale, normalisation, clip, then the tokens.</summary>
public static class RewardShaping
{
    /// <summary>Fills Rewards of the batch.</summary>
    /// <param name="batch">Old and reference log-probs and scores filled.</param>
    /// <param name="config">The section <c>method</c>.</param>
    /// <param name="maxNewTokens">The length limit of the responses, for the overlong punishment.</param>
    /// <param name="state">β and running moments before this iteration.</param>
    /// <exception cref="BadDataException">A baseline's scores are wanted and not there.</exception>
    public static ShapedRewards Fill(TrajectoryBatch batch, MethodConfig config, int maxNewTokens, PolicyState state)
    {
        int[] rows = [.. Enumerable.Range(0, batch.Scores.Length).Where(i => batch.Scored[i])];
        double[] scores = Of(batch.Scores);
        int[] lengths = [.. rows.Select(i => batch.Sequences[i].ResponseLength)];
        if (config.RewardBaseline == RewardBaseline.Reference) ScoreShaping.SubtractBaseline(scores, Of(Wanted(batch.ReferenceScores, "the reference policy's greedy", "reward_baseline: reference")));
        if (config.Baseline == Baseline.Greedy) ReMax.Advantages([.. scores], Of(Wanted(batch.GreedyScores, "the policy's own greedy", "baseline: greedy")), scores);
        if (config.MissingEosPenalty > 0) ScoreShaping.SubtractIfUnfinished(scores, [.. rows.Select(i => batch.Finished[i])], config.MissingEosPenalty);
        if (config.LengthPenalty > 0) ScoreShaping.SubtractPerTokenBeyond(scores, lengths, config.FreeLength, config.LengthPenalty);
        if (config.OverlongBuffer > 0) OverlongPenalty.Add(scores, lengths, maxNewTokens, config.OverlongBuffer, config.OverlongPenalty);
        if (config.RewardScale != 1) ScoreShaping.Scale(scores, config.RewardScale);
        if (config.RewardTemperature > 0) ScoreShaping.Exponential(scores, config.RewardTemperature);
        Moments moments = Normalize(scores, [.. rows.Select(i => batch.Groups[i])], config.RewardNormalization, state.ScoreMoments);
        double clipped = 0;
        if (config.RewardClip > 0)
        {
            clipped = scores.Count(s => Math.Abs(s) > config.RewardClip) / (double)scores.Length;
            ScoreShaping.Clip(scores, config.RewardClip);
        }

        double[] all = new double[batch.Scores.Length];
        for (int k = 0; k < rows.Length; k++) all[rows[k]] = scores[k];
        double kl = Assemble(batch, all, config, config.KlPlace == KlPlace.Reward ? state.KlCoefficient : 0);
        return new ShapedRewards(kl, moments, clipped);

        double[] Of(double[] column) => [.. rows.Select(i => column[i])];
        double[] Wanted(double[] found, string whose, string by) => found.Length == batch.Scores.Length
            ? found
            : throw new BadDataException($"{by} needs the score of {whose} response to every prompt; there is none. The loop draws them; by hand they are given with --greedy and --reference-responses.");
    }

    private static Moments Normalize(double[] scores, int[] groups, RewardNormalization normalization, Moments running)
    {
        var moments = new RunningMoments(running);
        switch (normalization)
        {
            case RewardNormalization.Running:
                ScoreShaping.DivideByRunningDeviation(scores, moments);
                break;
            case RewardNormalization.RunningCentred:
                ScoreShaping.NormalizeByRunningMoments(scores, moments);
                break;
            case RewardNormalization.Batch:
                ScoreShaping.NormalizeByBatch(scores);
                break;
            case RewardNormalization.Group:
                Grpo.Advantages(groups, [.. scores], [], scores);
                break;
            case RewardNormalization.GroupMean:
                Grpo.CentredAdvantages(groups, [.. scores], [], scores);
                break;
        }

        return moments.State;
    }

    /// <summary>r_t = dense reward − β KL_t, and the score on the last token; returns the mean Σ KL of a sequence.</summary>
    private static double Assemble(TrajectoryBatch batch, double[] scores, MethodConfig config, double coefficient)
    {
        bool full = config.KlEstimator == KlEstimate.FullVocabulary;
        KlEstimator estimator = full ? KlEstimator.K1 : (KlEstimator)config.KlEstimator;
        double kl = RewardAssembly.Fill(
            batch.Offsets, batch.ResponseMask, scores, batch.OldLogProbs, batch.ReferenceLogProbs, full ? 0 : coefficient, estimator, batch.Rewards,
            config.TokenRewards ? batch.TokenRewards : []);
        if (!full) return kl;
        double sum = 0;
        for (int t = 0; t < batch.Tokens; t++)
        {
            if (!batch.ResponseMask[t]) continue;
            sum += batch.FullVocabularyKl[t];
            batch.Rewards[t] -= coefficient * batch.FullVocabularyKl[t];
        }

        return sum / batch.Scored.Count(s => s);
    }
}

/// <summary>What shaping tells.</summary>
/// <param name="KlPerSequence">Mean KL(π_old‖reference) in nats per sequence, by the configured estimator.</param>
/// <param name="ScoreMoments">Running moments after the batch.</param>
/// <param name="ClippedShare">Share of scores cut by reward_clip.</param>
public readonly record struct ShapedRewards(double KlPerSequence, Moments ScoreMoments, double ClippedShare);

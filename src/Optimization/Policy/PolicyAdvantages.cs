using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>From scores to advantages: shape the scores, spread them over tokens with the KL penalty, GAE.</summary>
public static class PolicyAdvantages
{
    /// <summary>Fills rewards, advantages and returns of the batch.</summary>
    /// <param name="batch">Old and reference log-probs, old values and scores filled.</param>
    /// <param name="config">The method's configuration.</param>
    /// <param name="state">β and running moments before this iteration.</param>
    /// <returns>Mean KL(π_old‖reference) in nats per sequence, and the running moments after.</returns>
    public static (double KlPerSequence, Moments ScoreMoments) Fill(TrajectoryBatch batch, MethodConfig config, PolicyState state)
    {
        double[] scores = [.. batch.Scores];
        var moments = new RunningMoments(state.ScoreMoments);
        if (config.MissingEosPenalty > 0) ScoreShaping.SubtractIfUnfinished(scores, batch.Finished, config.MissingEosPenalty);
        switch (config.RewardNormalization)
        {
            case RewardNormalization.Running:
                ScoreShaping.DivideByRunningDeviation(scores, moments);
                break;
            case RewardNormalization.Batch:
                ScoreShaping.NormalizeByBatch(scores);
                break;
        }

        if (config.RewardClip > 0) ScoreShaping.Clip(scores, config.RewardClip);
        double kl = RewardAssembly.Fill(
            batch.Offsets, batch.ResponseMask, scores, batch.OldLogProbs, batch.ReferenceLogProbs, state.KlCoefficient, KlEstimator.K1, batch.Rewards);
        Gae.Compute(batch.Offsets, batch.ResponseMask, batch.Rewards, batch.OldValues, config.Gamma, config.Lambda, batch.Advantages, batch.Returns);
        return (kl, moments.State);
    }

    /// <summary>β of the next iteration.</summary>
    public static double NextKlCoefficient(double coefficient, double klPerSequence, int sequences, MethodConfig config)
    {
        if (config.KlTarget <= 0) return coefficient;
        var controller = new AdaptiveKlController(coefficient, config.KlTarget, config.KlHorizon);
        controller.Update(klPerSequence, sequences);
        return controller.Coefficient;
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>How the KL coefficients go from iteration to iteration.</summary>
public static class KlSchedules
{
    /// <summary>β of the KL to the reference in the next iteration (Ziegler et al. 2019); the same where no target is set.</summary>
    /// <param name="coefficient">β of this iteration.</param>
    /// <param name="klPerSequence">Nats of KL(π_old‖reference) in it.</param>
    /// <param name="sequences">Scored responses.</param>
    /// <param name="config">Target and horizon.</param>
    public static double Reward(double coefficient, double klPerSequence, int sequences, MethodConfig config)
    {
        if (config.KlTarget <= 0) return coefficient;
        var controller = new AdaptiveKlController(coefficient, config.KlTarget, config.KlHorizon);
        controller.Update(klPerSequence, sequences);
        return controller.Coefficient;
    }

    /// <summary>β of the KL(π_old‖π) penalty in the next iteration (Schulman et al. 2017): by the KL(π_old‖π) that it really made, measured with the weights as they are now.</summary>
    /// <param name="batch">With the log-probs before the iteration.</param>
    /// <param name="scorer">Of the policy after it.</param>
    /// <param name="coefficient">β of this iteration.</param>
    /// <param name="config">The target.</param>
    /// <param name="metrics">Takes the KL and β.</param>
    public static double Penalty(TrajectoryBatch batch, PolicyScorer scorer, double coefficient, MethodConfig config, PolicyMetrics metrics)
    {
        double[] logProbs = new double[batch.Tokens];
        scorer.Score(batch.Sequences, batch.Offsets, logProbs, [], []);
        double sum = 0;
        long tokens = 0;
        for (int t = 0; t < batch.Tokens; t++)
        {
            if (!batch.ResponseMask[t]) continue;
            tokens++;
            sum += KlEstimators.Estimate(KlEstimator.K3, batch.OldLogProbs[t], logProbs[t]);
        }

        (metrics.PenaltyKl, metrics.PenaltyCoefficient) = (tokens == 0 ? 0 : sum / tokens, coefficient);
        if (config.PenaltyTarget <= 0) return coefficient;
        var controller = new DoublingKlController(coefficient, config.PenaltyTarget);
        controller.Update(metrics.PenaltyKl.Value, batch.Scored.Count(s => s));
        return controller.Coefficient;
    }
}

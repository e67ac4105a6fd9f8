using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>From the configuration's objective to its equation in <c>Algorithms</c>.</summary>
public static class RewardObjectives
{
    /// <summary>Writes ∂L/∂r of every text; returns L.</summary>
    /// <param name="config">Objective, margin and centring.</param>
    /// <param name="scores">[texts] r.</param>
    /// <param name="offsets">[examples + 1] texts of each example.</param>
    /// <param name="labels">[examples].</param>
    /// <param name="scale">1 / examples of the whole step.</param>
    /// <param name="gradient">[texts] written.</param>
    public static double Evaluate(RewardModelConfig config, double[] scores, int[] offsets, double[] labels, double scale, double[] gradient)
    {
        switch (config.Objective)
        {
            case RewardObjective.Binary: return BinaryRewardLoss.Evaluate(scores, labels, scale, gradient);
            case RewardObjective.Regression: return RegressionRewardLoss.Squared(scores, labels, scale, gradient);
            case RewardObjective.Huber: return RegressionRewardLoss.Huber(scores, labels, 1, scale, gradient);
            case RewardObjective.Pairwise: return Pairwise(config, scores, offsets.Length - 1, scale, gradient);
            case RewardObjective.KWise: return BestOfKLoss.Evaluate(offsets, scores, new int[offsets.Length - 1], scale, gradient); // best first: index 0
            case RewardObjective.PlackettLuce: return PlackettLuceLoss.Evaluate(offsets, scores, scale, gradient);
            default: throw new ConfigurationException($"objective: {config.Objective} is not known.");
        }
    }

    private static double Pairwise(RewardModelConfig config, double[] scores, int pairs, double scale, double[] gradient)
    {
        double[] chosen = new double[pairs], rejected = new double[pairs], gc = new double[pairs], gr = new double[pairs], margins = new double[pairs];
        Array.Fill(margins, config.Margin);
        for (int i = 0; i < pairs; i++) (chosen[i], rejected[i]) = (scores[2 * i], scores[(2 * i) + 1]);
        double loss = PairwiseRewardLoss.Evaluate(chosen, rejected, margins, scale, gc, gr);
        if (config.CenteringCoefficient > 0) loss += CentringPenalty.Add(chosen, rejected, config.CenteringCoefficient, scale, gc, gr);
        for (int i = 0; i < pairs; i++) (gradient[2 * i], gradient[(2 * i) + 1]) = (gc[i], gr[i]);
        return loss;
    }
}

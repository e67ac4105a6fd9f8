using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What one example weighs in the loss of an optimiser step, however the step is cut into passes.</summary>
/// <param name="Example">1 / examples of the whole step (1 / steps for process rewards).</param>
/// <param name="Human">Discriminator: 1 / people's texts of the whole step; 0 where there is none.</param>
/// <param name="Policy">Discriminator: 1 / the policy's texts of the whole step; 0 where there is none.</param>
public readonly record struct RewardScale(double Example, double Human, double Policy)
{
    /// <summary>The weights of a whole step.</summary>
    public static RewardScale Of(IReadOnlyList<RewardExample> batch)
    {
        int human = batch.Count(e => e.Label > 0.5), steps = batch.Sum(e => e.StepLabels?.Length ?? 1);
        return new RewardScale(1.0 / steps, human > 0 ? 1.0 / human : 0, human < batch.Count ? 1.0 / (batch.Count - human) : 0);
    }
}

/// <summary>From the configuration's objective to its equation in <c>Algorithms</c>.</summary>
public static class RewardObjectives
{
    /// <summary>Writes ∂L/∂r of every text; returns L. All examples are at hand: <paramref name="scale"/> is 1 / examples.</summary>
    /// <inheritdoc cref="Evaluate(RewardModelConfig, double[], int[], double[], RewardScale, double[])"/>
    public static double Evaluate(RewardModelConfig config, double[] scores, int[] offsets, double[] labels, double scale, double[] gradient)
    {
        int human = labels.Count(y => y > 0.5);
        return Evaluate(config, scores, offsets, labels, new RewardScale(scale, 1.0 / Math.Max(1, human), 1.0 / Math.Max(1, labels.Length - human)), gradient);
    }

    /// <summary>Writes ∂L/∂r of every text; returns L.</summary>
    /// <param name="config">Objective, margin, centring and size.</param>
    /// <param name="scores">[texts] r; [steps] for process rewards.</param>
    /// <param name="offsets">[examples + 1] texts of each example.</param>
    /// <param name="labels">[examples]; [steps] for process rewards; a pair's own margin.</param>
    /// <param name="scale">Weights.</param>
    /// <param name="gradient">[texts] written.</param>
    public static double Evaluate(RewardModelConfig config, double[] scores, int[] offsets, double[] labels, RewardScale scale, double[] gradient)
    {
        double s = scale.Example;
        double loss = config.Objective switch
        {
            RewardObjective.Binary or RewardObjective.Process => BinaryRewardLoss.Evaluate(scores, labels, s, gradient),
            RewardObjective.Regression => RegressionRewardLoss.Squared(scores, labels, s, gradient),
            RewardObjective.Huber => RegressionRewardLoss.Huber(scores, labels, 1, s, gradient),
            RewardObjective.Pairwise => Pairwise(config, scores, labels, s, gradient),
            RewardObjective.KWise => BestOfKLoss.Evaluate(offsets, scores, new int[offsets.Length - 1], s, gradient), // best first: index 0
            RewardObjective.PlackettLuce => PlackettLuceLoss.Evaluate(offsets, scores, s, gradient),
            RewardObjective.Discriminator => Discriminator(scores, labels, scale, gradient),
            _ => throw new ConfigurationException($"objective: {config.Objective} is not known."),
        };
        if (config.CenteringCoefficient > 0 && config.Objective is RewardObjective.KWise or RewardObjective.PlackettLuce)
            loss += GroupCentringPenalty.Add(offsets, scores, config.CenteringCoefficient, s, gradient);
        if (config.ScaleCoefficient > 0) loss += ScalePenalty.Add(scores, config.ScaleCoefficient, s, gradient);
        return loss;
    }

    private static double Pairwise(RewardModelConfig config, double[] scores, double[] labels, double scale, double[] gradient)
    {
        int pairs = labels.Length;
        double[] chosen = new double[pairs], rejected = new double[pairs], gc = new double[pairs], gr = new double[pairs];
        double[] margins = [.. labels.Select(m => m + config.Margin)];
        for (int i = 0; i < pairs; i++) (chosen[i], rejected[i]) = (scores[2 * i], scores[(2 * i) + 1]);
        double loss = PairwiseRewardLoss.Evaluate(chosen, rejected, margins, scale, gc, gr);
        if (config.CenteringCoefficient > 0) loss += CentringPenalty.Add(chosen, rejected, config.CenteringCoefficient, scale, gc, gr);
        for (int i = 0; i < pairs; i++) (gradient[2 * i], gradient[(2 * i) + 1]) = (gc[i], gr[i]);
        return loss;
    }

    private static double Discriminator(double[] scores, double[] labels, RewardScale scale, double[] gradient)
    {
        int[] human = [.. Enumerable.Range(0, scores.Length).Where(i => labels[i] > 0.5)], policy = [.. Enumerable.Range(0, scores.Length).Where(i => labels[i] <= 0.5)];
        double[] gh = new double[human.Length], gp = new double[policy.Length];
        double loss = DiscriminatorLoss.Evaluate([.. human.Select(i => scores[i])], [.. policy.Select(i => scores[i])], scale.Human, scale.Policy, gh, gp);
        for (int i = 0; i < human.Length; i++) gradient[human[i]] = gh[i];
        for (int i = 0; i < policy.Length; i++) gradient[policy[i]] = gp[i];
        return loss;
    }
}

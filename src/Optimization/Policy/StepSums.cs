using Rlhf.Algorithms;

namespace Rlhf.Optimization;

/// <summary>What the optimiser steps of an iteration have added up to so far; the numbers of an interrupted iteration go on from here.</summary>
public sealed record StepSums
{
    /// <summary>Minibatches, guarded ones included.</summary>
    public int Steps { get; init; }

    /// <summary>Minibatches that the ratio guard left out.</summary>
    public int Guarded { get; init; }

    public PolicyLossSums Policy { get; init; }

    public ValueLossSums Value { get; init; }

    /// <summary>Sum of the gradient norms.</summary>
    public double GradientNorm { get; init; }

    public double GradientNormMax { get; init; }

    /// <summary>Of the last step.</summary>
    public double LearningRate { get; init; }

    /// <summary>These sums with one more minibatch.</summary>
    public StepSums With(MinibatchResult step) => new()
    {
        Steps = Steps + 1, Guarded = Guarded + (step.Guarded ? 1 : 0), Policy = Policy + step.Policy, Value = Value + step.Value,
        GradientNorm = GradientNorm + step.GradientNorm, GradientNormMax = Math.Max(GradientNormMax, step.GradientNorm), LearningRate = step.LearningRate,
    };
}

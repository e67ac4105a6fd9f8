using Rlhf.Algorithms;

namespace Rlhf.Optimization;

/// <summary>Sums of one optimiser step.</summary>
public sealed class MinibatchResult
{
    public PolicyLossSums Policy { get; private set; }
    public ValueLossSums Value { get; private set; }
    public double Loss { get; private set; }
    public double GradientNorm { get; set; }
    public double LearningRate { get; set; }

    public void Add(MicroBatchLoss loss)
    {
        Policy += loss.Policy;
        Value += loss.Value;
        Loss += loss.Loss;
    }
}

/// <summary>Plain numbers of one iteration of PPO; names and formulas are in the metric catalogue.</summary>
public sealed class PpoMetrics
{
    private PolicyLossSums _policy;
    private ValueLossSums _value;
    private double _gradientNorm;

    /// <summary>Optimiser steps taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Epochs finished.</summary>
    public int EpochsDone { get; set; }

    /// <summary>True when target KL ended the epochs early.</summary>
    public bool StoppedEarly { get; set; }

    /// <summary>max |ratio − 1| on the first minibatch of the first epoch.</summary>
    public double FirstRatioGap { get; set; }

    /// <summary>Mean Σ k1 of KL(π_old‖reference), nats per sequence, before the update.</summary>
    public double KlPerSequence { get; set; }

    /// <summary>β used in this iteration.</summary>
    public double KlCoefficient { get; set; }

    public double PolicyLoss => Steps == 0 ? 0 : _policy.Loss / Steps;
    public double ValueLossMean => Steps == 0 ? 0 : _value.Loss / Steps;
    public double ClipFraction => _policy.ClipFraction;
    public double ValueClipFraction => _value.ClipFraction;

    /// <summary>Mean k3 of KL(π_old‖π) over all steps, nats per token.</summary>
    public double ApproximateKl => _policy.ApproximateKlK3;

    public double RatioMax => _policy.RatioMax;
    public double GradientNorm => Steps == 0 ? 0 : _gradientNorm / Steps;
    public double LearningRateLast { get; private set; }

    public void Add(MinibatchResult step)
    {
        Steps++;
        _policy += step.Policy;
        _value += step.Value;
        _gradientNorm += step.GradientNorm;
        LearningRateLast = step.LearningRate;
    }
}

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
public sealed class PolicyMetrics
{
    private readonly Dictionary<string, double> _batch = [];
    private PolicyLossSums _policy;
    private ValueLossSums _value;
    private double _gradientNorm;
    private double _gradientNormMax;
    private double _learningRate;
    private int _steps;

    /// <summary>True when target KL ended the epochs early.</summary>
    public bool StoppedEarly { get; set; }

    /// <summary>max |ratio − 1| on the first minibatch of the first epoch.</summary>
    public double FirstRatioGap { get; set; }

    /// <summary>Mean Σ k1 of KL(π_old‖reference), nats per sequence, before the update.</summary>
    public double KlPerSequence { get; set; }

    /// <summary>β used in this iteration.</summary>
    public double KlCoefficient { get; set; }

    public void Add(MinibatchResult step)
    {
        _steps++;
        _policy += step.Policy;
        _value += step.Value;
        _gradientNorm += step.GradientNorm;
        _gradientNormMax = Math.Max(_gradientNormMax, step.GradientNorm);
        _learningRate = step.LearningRate;
    }

    /// <summary>Takes what the batch tells by itself: scores, rewards, KL, values, engine gap. Call before advantages are whitened.</summary>
    public void Observe(TrajectoryBatch batch)
    {
        int n = batch.Sequences.Count, tokens = batch.Tokens;
        double[] perSequence = [.. Enumerable.Range(0, n).Select(i => batch.Rewards[batch.Response(i)].Sum())];
        double k1 = 0, k3 = 0, gap = 0, gapMax = 0;
        for (int t = 0; t < tokens; t++)
        {
            k1 += KlEstimators.Estimate(KlEstimator.K1, batch.OldLogProbs[t], batch.ReferenceLogProbs[t]);
            k3 += KlEstimators.Estimate(KlEstimator.K3, batch.OldLogProbs[t], batch.ReferenceLogProbs[t]);
            double d = Math.Abs(batch.RolloutLogProbs[t] - batch.OldLogProbs[t]);
            gap += d;
            gapMax = Math.Max(gapMax, d);
        }

        (_batch["score/mean"], _batch["score/std"]) = MeanAndDeviation(batch.Scores);
        (_batch["score/min"], _batch["score/max"]) = (batch.Scores.Min(), batch.Scores.Max());
        (_batch["reward/mean"], _batch["reward/std"]) = MeanAndDeviation(perSequence);
        (_batch["return/mean"], _batch["return/std"]) = MeanAndDeviation(batch.Returns);
        (_batch["advantage/mean"], _batch["advantage/std"]) = MeanAndDeviation(batch.Advantages);
        _batch["kl/k1_per_token"] = k1 / tokens;
        _batch["kl/k1_per_sequence"] = k1 / n;
        _batch["kl/k3_per_token"] = k3 / tokens;
        _batch["kl/k3_per_sequence"] = k3 / n;
        _batch["entropy"] = batch.OldEntropies.Average();
        _batch["value/mean"] = batch.OldValues.Average();
        _batch["value/explained_variance"] = ExplainedVariance(batch.OldValues, batch.Returns);
        _batch["rollout/engine_logprob_gap_mean"] = gap / tokens;
        _batch["rollout/engine_logprob_gap_max"] = gapMax;
        _batch["rollout/length_mean"] = (double)tokens / n;
        _batch["rollout/length_max"] = batch.Sequences.Max(s => s.ResponseLength);
        _batch["tokens/generated"] = tokens;
    }

    /// <summary>By the names of the metric catalogue.</summary>
    public Dictionary<string, double> ToDictionary() => new(_batch)
    {
        ["kl/coefficient"] = KlCoefficient,
        ["policy/loss"] = _steps == 0 ? 0 : _policy.Loss / _steps,
        ["policy/clip_fraction"] = _policy.ClipFraction,
        ["policy/ratio_mean"] = _policy.RatioMean,
        ["policy/ratio_max"] = _policy.RatioMax,
        ["policy/ratio_max_minus_1_first"] = FirstRatioGap,
        ["policy/approx_kl"] = _policy.ApproximateKlK3,
        ["policy/updates"] = _steps,
        ["policy/early_stop"] = StoppedEarly ? 1 : 0,
        ["value/loss"] = _steps == 0 ? 0 : _value.Loss / _steps,
        ["value/clip_fraction"] = _value.ClipFraction,
        ["grad_norm"] = _steps == 0 ? 0 : _gradientNorm / _steps,
        ["grad_norm_max"] = _gradientNormMax,
        ["learning_rate"] = _learningRate,
        ["tokens/trained"] = _policy.Tokens,
    };

    private static (double Mean, double Deviation) MeanAndDeviation(ReadOnlySpan<double> values)
    {
        Moments moments = Moments.Of(values);
        return (moments.Mean, Math.Sqrt(moments.SampleVariance));
    }

    private static double ExplainedVariance(double[] values, double[] returns)
    {
        double variance = Moments.Of(returns).PopulationVariance;
        return variance == 0 ? 0 : 1 - (Moments.Of([.. returns.Zip(values, (r, v) => r - v)]).PopulationVariance / variance);
    }
}

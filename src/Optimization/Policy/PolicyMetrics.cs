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

    /// <summary>True when the ratio guard left the step out.</summary>
    public bool Guarded { get; set; }

    public void Add(MicroBatchSums sums)
    {
        Policy += sums.Policy;
        Value += sums.Value;
        Loss += sums.Loss;
    }

    /// <summary>A term that has no sums of its own.</summary>
    public void AddLoss(double loss) => Loss += loss;
}

/// <summary>Plain numbers of one iteration; names and formulas are in the metric catalogue.</summary>
/// <param name="hasCritic">Numbers of the value function are told only where there is one.</param>
public sealed class PolicyMetrics(bool hasCritic = true)
{
    private readonly Dictionary<string, double> _batch = [];

    /// <summary>Of the optimiser steps so far.</summary>
    public StepSums Sums { get; set; } = new();

    /// <summary>True when target KL ended the epochs early.</summary>
    public bool StoppedEarly { get; set; }

    /// <summary>max |ratio − 1| on the first minibatch of the first epoch.</summary>
    public double FirstRatioGap { get; set; }

    /// <summary>Mean Σ k1 of KL(π_old‖reference), nats per sequence, before the update.</summary>
    public double KlPerSequence { get; set; }

    /// <summary>β used in this iteration.</summary>
    public double KlCoefficient { get; set; }

    /// <summary>Share of scores cut by reward_clip.</summary>
    public double RewardClipShare { get; set; }

    /// <summary>Share of responses that are scored but not trained on.</summary>
    public double LeftOut { get; set; }

    /// <summary>Of all scores so far, where they normalise the rewards.</summary>
    public RunningMoments? ScoreMoments { get; set; }

    /// <summary>KL(π_old‖π) in nats per token after the update, where the method penalises it.</summary>
    public double? PenaltyKl { get; set; }

    /// <summary>β of that penalty in this iteration.</summary>
    public double PenaltyCoefficient { get; set; }

    /// <summary>Importance weights of sampler against trainer, where they are corrected.</summary>
    public CorrectionSums? Correction { get; set; }

    /// <summary>All ratios π/π_old of the iteration.</summary>
    public RatioHistogram Ratios { get; } = new();

    public void Add(MinibatchResult step) => Sums = Sums.With(step);

    /// <summary>
    /// Takes what the batch tells by itself: scores, rewards, KL, values, engine gap. Call before advantages are whitened. Means are over scored responses and
    /// their tokens, as the objective is; only counts and lengths are of everything that was drawn.
    /// </summary>
    public void Observe(TrajectoryBatch batch)
    {
        int n = batch.Sequences.Count, drawn = batch.Tokens, scored = batch.Scored.Count(s => s), tokens = RaggedOffsets.TrainedTokens(batch.ResponseMask);
        double[] perSequence = [.. Enumerable.Range(0, n).Select(i => batch.Rewards[batch.Response(i)].Sum())];
        double k1 = 0, k3 = 0, gap = 0, gapMax = 0;
        for (int t = 0; t < drawn; t++)
        {
            if (!batch.ResponseMask[t]) continue;
            k1 += KlEstimators.Estimate(KlEstimator.K1, batch.OldLogProbs[t], batch.ReferenceLogProbs[t]);
            k3 += KlEstimators.Estimate(KlEstimator.K3, batch.OldLogProbs[t], batch.ReferenceLogProbs[t]);
            double d = Math.Abs(batch.RolloutLogProbs[t] - batch.OldLogProbs[t]);
            gap += d;
            gapMax = Math.Max(gapMax, d);
        }

        double[] scores = [.. batch.Scores.Where((_, i) => batch.Scored[i])];
        (_batch["score/mean"], _batch["score/std"]) = MeanAndDeviation(Moments.Of(scores));
        (_batch["score/min"], _batch["score/max"]) = (scores.Min(), scores.Max());
        (_batch["reward/mean"], _batch["reward/std"]) = MeanAndDeviation(Moments.Of(perSequence, batch.Scored));
        (_batch["return/mean"], _batch["return/std"]) = MeanAndDeviation(Moments.Of(batch.Returns, batch.ResponseMask));
        (_batch["advantage/mean"], _batch["advantage/std"]) = MeanAndDeviation(Moments.Of(batch.Advantages, batch.ResponseMask));
        _batch["kl/k1_per_token"] = k1 / tokens;
        _batch["kl/k1_per_sequence"] = k1 / scored;
        _batch["kl/k3_per_token"] = k3 / tokens;
        _batch["kl/k3_per_sequence"] = k3 / scored;
        _batch["entropy"] = Moments.Of(batch.OldEntropies, batch.ResponseMask).Mean;
        if (hasCritic)
        {
            _batch["value/mean"] = Moments.Of(batch.OldValues, batch.ResponseMask).Mean;
            _batch["value/explained_variance"] = ExplainedVariance.Of(batch.ResponseMask, batch.OldValues, batch.Returns);
        }

        _batch["rollout/engine_logprob_gap_mean"] = gap / tokens;
        _batch["rollout/engine_logprob_gap_max"] = gapMax;
        _batch["rollout/length_mean"] = (double)drawn / n;
        _batch["rollout/length_max"] = batch.Sequences.Max(s => s.ResponseLength);
        _batch["tokens/generated"] = drawn;
    }

    /// <summary>By the names of the metric catalogue.</summary>
    public Dictionary<string, double> ToDictionary()
    {
        Dictionary<string, double> all = Steps();
        if (hasCritic)
        {
            all["value/loss"] = Sums.Steps == 0 ? 0 : Sums.Value.Loss / Sums.Steps;
            all["value/clip_fraction"] = Sums.Value.ClipFraction;
        }

        if (ScoreMoments is { } scores) (all["reward/running_mean"], all["reward/running_std"]) = (scores.Mean, scores.StandardDeviation);
        if (PenaltyKl is { } kl) (all["policy/penalty_kl"], all["policy/penalty_coefficient"]) = (kl, PenaltyCoefficient);
        if (Correction is { Tokens: > 0 } c)
        {
            all["mismatch/weight_mean"] = c.WeightSum / c.Tokens;
            all["mismatch/truncated_share"] = (double)c.Truncated / c.Tokens;
            all["mismatch/rejected_share"] = (double)c.Rejected / c.Tokens;
        }

        for (int bin = 0; bin < RatioHistogram.LowerBounds.Length && Ratios.Total > 0; bin++)
        {
            string from = RatioHistogram.LowerBounds[bin].ToString("0.00", System.Globalization.CultureInfo.InvariantCulture);
            all[$"policy/ratio_share/{from}"] = (double)Ratios.Counts[bin] / Ratios.Total;
        }

        return all;
    }

    private Dictionary<string, double> Steps() => new(_batch)
    {
        ["reward/clip_share"] = RewardClipShare,
        ["rollout/left_out_share"] = LeftOut,
        ["kl/coefficient"] = KlCoefficient,
        ["policy/loss"] = Sums.Steps == 0 ? 0 : Sums.Policy.Loss / Sums.Steps,
        ["policy/clip_fraction"] = Sums.Policy.ClipFraction,
        ["policy/ratio_mean"] = Sums.Policy.RatioMean,
        ["policy/ratio_max"] = Sums.Policy.RatioMax,
        ["policy/ratio_max_minus_1_first"] = FirstRatioGap,
        ["policy/approx_kl"] = Sums.Policy.ApproximateKlK3,
        ["policy/updates"] = Sums.Steps - Sums.Guarded,
        ["policy/guarded_steps"] = Sums.Guarded,
        ["policy/early_stop"] = StoppedEarly ? 1 : 0,
        ["grad_norm"] = Sums.Steps == 0 ? 0 : Sums.GradientNorm / Sums.Steps,
        ["grad_norm_max"] = Sums.GradientNormMax,
        ["learning_rate"] = Sums.LearningRate,
        ["tokens/trained"] = Sums.Policy.Tokens,
    };

    private static (double Mean, double Deviation) MeanAndDeviation(Moments moments) => (moments.Mean, Math.Sqrt(moments.SampleVariance));
}

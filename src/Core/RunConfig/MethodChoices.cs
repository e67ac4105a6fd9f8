namespace Rlhf.Core;

/// <summary>Where the value function lives.</summary>
public enum Critic
{
    /// <summary>A value head on the policy's trunk.</summary>
    Shared,

    /// <summary>A model of its own.</summary>
    Separate,

    /// <summary>There is none; the model needs no value head.</summary>
    None,
}

/// <summary>What REINFORCE subtracts from the return.</summary>
public enum Baseline { None, Constant, MovingAverage, Value, Greedy }

/// <summary>How a critic's values become advantages.</summary>
public enum AdvantageEstimator { MonteCarlo, TdZero, NStep, Gae }

/// <summary>Where the KL to the reference policy is paid.</summary>
public enum KlPlace { Reward, Loss }

/// <summary>How KL(π‖reference) of a token is estimated; the first three by Schulman 2020, from the sampled token.</summary>
public enum KlEstimate
{
    /// <summary>log π − log π_ref.</summary>
    K1,

    /// <summary>½ (log π − log π_ref)².</summary>
    K2,

    /// <summary>π_ref/π − 1 − log(π_ref/π).</summary>
    K3,

    /// <summary>Exact: the sum over the whole vocabulary. Keeps the reference in the trainer.</summary>
    FullVocabulary,
}

/// <summary>How token losses become one number; the members of Rlhf.Algorithms.LossAggregation.</summary>
public enum Aggregation { TokenMean, MeanOfSequenceMeans, MeanOfSequenceSums, ConstantLength }

/// <summary>How rewards are normalised before the advantage.</summary>
public enum RewardNormalization
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Divided by the running standard deviation.</summary>
    Running,

    /// <summary>Centred and divided by running moments.</summary>
    RunningCentred,

    /// <summary>Zero mean and unit variance over the iteration.</summary>
    Batch,

    /// <summary>Zero mean and unit variance over the responses to one prompt.</summary>
    Group,

    /// <summary>Zero mean over the responses to one prompt.</summary>
    GroupMean,
}

/// <summary>What is subtracted from the scores before anything else.</summary>
public enum RewardBaseline
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The score of the reference policy's greedy response to the same prompt.</summary>
    Reference,
}

/// <summary>What is done about log-probs of sampler and trainer that differ.</summary>
public enum Correction
{
    /// <summary>Nothing; the gap is measured.</summary>
    None,

    /// <summary>Importance weights cut at correction_high.</summary>
    Truncate,

    /// <summary>Importance weights inside [correction_low, correction_high], 0 outside.</summary>
    Reject,
}

/// <summary>Over what the importance weight is taken; the members of Rlhf.Algorithms.CorrectionLevel.</summary>
public enum CorrectionScope { Token, Sequence, SequenceGeometricMean }

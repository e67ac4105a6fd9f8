namespace Rlhf.Core;

/// <summary>
/// How scored responses change the policy (section <c>method</c>). The defaults below are those of PPO; <c>name</c> chooses another method and with it
/// that method's defaults (<see cref="MethodDefaults"/>), over which every other line of the section is laid.
/// </summary>
public sealed partial record MethodConfig : IChosenDefaults
{
    [Doc("The method; its own defaults stand where the section says nothing.")]
    public MethodName Name { get; init; } = MethodName.Ppo;

    // Steps

    [Doc("Passes over each iteration's responses."), Range(1, 100)]
    public int Epochs { get; init; } = 4;

    [Doc("Responses of one optimiser step."), Range(1, 1e6)]
    public int MinibatchSize { get; init; } = 64;

    [Doc("Most tokens of one forward pass in training, padding included; passes without gradients take twice as many. Does not change the loss."), Range(16, 1e8)]
    public int MicroBatchTokens { get; init; } = 4096;

    [Doc("How token losses become one number: token_mean, mean_of_sequence_means, mean_of_sequence_sums, constant_length.")]
    public Aggregation Aggregation { get; init; } = Aggregation.TokenMean;

    [Doc("Length that constant_length divides by; 0: generation.max_new_tokens."), Range(0, 1e6)]
    public int ConstantLength { get; init; }

    [Doc("Stop an iteration's epochs when approximate KL(π_old‖π) per token, the mean over an epoch's minibatches, passes this; 0: never."), Range(0, 100)]
    public double TargetKl { get; init; }

    [Doc("Leave a step out when the mean ratio of its minibatch passes this; 0: never."), Range(0, 1e6)]
    public double RatioGuard { get; init; }

    [Doc("Most |ratio − 1| allowed on the first minibatch of the first epoch before the run stops."), Range(1e-9, 1)]
    public double FirstRatioTolerance { get; init; } = 1e-3;

    // Policy loss

    [Doc("ε: the ratio is clipped to [1 − ε, 1 + clip_range_high]; 1: no lower clip (cispo)."), Range(0, 1)]
    public double ClipRange { get; init; } = 0.2;

    [Doc("Upper clip; 0: the same as clip_range."), Range(0, 100)]
    public double ClipRangeHigh { get; init; }

    [Doc("c of dual clip for negative advantages, above 1; 0: off."), Range(0, 100)]
    public double DualClip { get; init; }

    [Doc("β of KL(π_old‖π) in the loss (ppo_penalty, off_policy)."), Range(0, 1e6)]
    public double PenaltyCoefficient { get; init; }

    [Doc("KL(π_old‖π) in nats per token that an adaptive β of the penalty holds (it doubles and halves); 0: β is fixed."), Range(0, 100)]
    public double PenaltyTarget { get; init; }

    [Doc("Largest importance weight (off_policy); 0: not cut."), Range(0, 1e6)]
    public double ImportanceCap { get; init; }

    [Doc("Weight of the entropy bonus."), Range(0, 10)]
    public double EntropyCoefficient { get; init; }

    // Advantages

    [Doc("γ: discount."), Range(0, 1)]
    public double Gamma { get; init; } = 1;

    [Doc("How a critic's values become advantages: monte_carlo, td_zero, n_step, gae.")]
    public AdvantageEstimator Advantage { get; init; } = AdvantageEstimator.Gae;

    [Doc("λ of gae."), Range(0, 1)]
    public double Lambda { get; init; } = 0.95;

    [Doc("Steps of n_step."), Range(1, 1e6)]
    public int AdvantageSteps { get; init; } = 5;

    [Doc("What REINFORCE subtracts from the return: none, constant, moving_average, value (a critic), greedy (the score of the greedy response, as remax does).")]
    public Baseline Baseline { get; init; } = Baseline.None;

    [Doc("The constant baseline."), Range(-1e9, 1e9)]
    public double BaselineConstant { get; init; }

    [Doc("Decay of the moving average over iterations."), Range(0, 0.999999)]
    public double BaselineDecay { get; init; } = 0.9;

    [Doc("Scale advantages to zero mean and unit variance over the iteration.")]
    public bool WhitenAdvantages { get; init; } = true;

    // Critic

    [Doc("shared: a value head on the policy's trunk; separate: a model of its own; none: no critic.")]
    public Critic Critic { get; init; } = Critic.Shared;

    [Doc("ε of the value clip; 0: off."), Range(0, 100)]
    public double ValueClipRange { get; init; } = 0.2;

    [Doc("Weight of the value loss."), Range(0, 100)]
    public double ValueCoefficient { get; init; } = 0.1;

    [Doc("First iterations in which only the critic learns (of a shared trunk, only its head)."), Range(0, 1e6)]
    public int CriticWarmupIterations { get; init; }

    // KL to the reference

    [Doc("β: weight of KL(π‖reference), per token."), Range(0, 100)]
    public double KlCoefficient { get; init; } = 0.05;

    [Doc("reward: KL is taken from each token's reward; loss: it is a term of the loss.")]
    public KlPlace KlPlace { get; init; } = KlPlace.Reward;

    [Doc("k1, k2, k3 (of the sampled token) or full_vocabulary (exact).")]
    public KlEstimate KlEstimator { get; init; } = KlEstimate.K1;

    [Doc("Target KL in nats per sequence of an adaptive β; 0: β is fixed."), Range(0, 1e6)]
    public double KlTarget { get; init; }

    [Doc("Horizon of the adaptive β in sequences; above a fifth of an iteration's responses."), Range(1, 1e12)]
    public double KlHorizon { get; init; } = 10_000;

    // Rewards, in the order in which they are applied

    [Doc("Add the dense token_rewards of the scored rows to the tokens' rewards.")]
    public bool TokenRewards { get; init; }

    [Doc("none, or reference: subtract the score of the reference policy's greedy response to the same prompt.")]
    public RewardBaseline RewardBaseline { get; init; } = RewardBaseline.None;

    [Doc("Taken from the score of a response that ended by length, not by EOS."), Range(0, 1e6)]
    public double MissingEosPenalty { get; init; }

    [Doc("Taken from the score for every token beyond free_length."), Range(0, 1e6)]
    public double LengthPenalty { get; init; }

    [Doc("Tokens that length_penalty does not count."), Range(0, 1e6)]
    public int FreeLength { get; init; }

    [Doc("Soft overlong punishment (dapo): the last this many tokens before generation.max_new_tokens cost up to overlong_penalty; 0: off."), Range(0, 1e6)]
    public int OverlongBuffer { get; init; }

    [Doc("What a response at the length limit pays under overlong_buffer."), Range(0, 1e6)]
    public double OverlongPenalty { get; init; } = 1;

    [Doc("Factor of the score."), Range(-1e6, 1e6)]
    public double RewardScale { get; init; } = 1;

    [Doc("T of exp(score/T), which lets high scores count more than in proportion; 0: off."), Range(0, 1e6)]
    public double RewardTemperature { get; init; }

    [Doc("Normalise scores: none, running (divide by the running standard deviation), running_centred, batch, group (each over the responses to one prompt: zero mean, unit variance), group_mean.")]
    public RewardNormalization RewardNormalization { get; init; } = RewardNormalization.None;

    [Doc("Clip scores to ± this; 0: never."), Range(0, 1e9)]
    public double RewardClip { get; init; } = 10;

    // Which responses are trained on

    [Doc("Prompts whose responses all scored alike are left out and others drawn in their place (dapo).")]
    public bool DynamicSampling { get; init; }

    [Doc("Most further rounds of drawing in one iteration."), Range(0, 100)]
    public int DynamicSamplingRounds { get; init; } = 4;

    [Doc("Responses that ended by length are scored but not trained on.")]
    public bool LeaveOutTruncated { get; init; }

    // Sampler and trainer disagree

    [Doc("none; truncate: importance weights up to correction_high; reject: 0 outside [correction_low, correction_high].")]
    public Correction Correction { get; init; } = Correction.None;

    [Doc("token, sequence (the product) or sequence_geometric_mean.")]
    public CorrectionScope CorrectionScope { get; init; } = CorrectionScope.Token;

    [Doc("Lower bound of the rejection band."), Range(0, 1)]
    public double CorrectionLow { get; init; } = 0.5;

    [Doc("Cap of truncation, upper bound of the rejection band."), Range(1, 1e6)]
    public double CorrectionHigh { get; init; } = 2;

    // PPO-ptx

    [Doc("Weight of the likelihood of pretraining text in every step (PPO-ptx); 0: off."), Range(0, 1e6)]
    public double PtxCoefficient { get; init; }

    [Doc("Files of pretraining text."), PathRelative]
    public IReadOnlyList<string> PtxData { get; init; } = [];

    [Doc("Column of the text.")]
    public string PtxColumn { get; init; } = "text";

    [Doc("Sequences of text in one step."), Range(1, 1e6)]
    public int PtxSequences { get; init; } = 8;

    [Doc("Tokens of one sequence of text."), Range(2, 1e6)]
    public int PtxLength { get; init; } = 128;

    string IChosenDefaults.ChoiceProperty => nameof(Name);

    object IChosenDefaults.DefaultsOf(Enum choice) => MethodDefaults.Of((MethodName)choice);

    /// <summary>The method as people write it: "PPO", "Dr.GRPO".</summary>
    public string Title => Name switch
    {
        MethodName.PpoPenalty => "PPO-penalty",
        MethodName.OffPolicy => "off-policy gradient",
        MethodName.DrGrpo => "Dr.GRPO",
        MethodName.ReinforcePlusPlus => "REINFORCE++",
        MethodName.Remax => "ReMax",
        _ => Name.ToString().ToUpperInvariant(),
    };

    /// <summary>The name as the configuration has it: "dr_grpo".</summary>
    public static string KeyOf(MethodName name) => ConfigText.SnakeCase(name.ToString());

    /// <summary>True when the method compares the responses to one prompt with each other.</summary>
    public bool ComparesGroups =>
        MethodDefaults.IsGroupMethod(Name) || DynamicSampling || RewardNormalization is RewardNormalization.Group or RewardNormalization.GroupMean;

    /// <summary>True when each prompt's greedy response is drawn and scored too.</summary>
    public bool NeedsGreedyScores => Baseline == Baseline.Greedy;

    /// <summary>True when the trainer needs the reference model itself, not only its log-probs.</summary>
    public bool NeedsReferenceModel => KlEstimator == KlEstimate.FullVocabulary;
}

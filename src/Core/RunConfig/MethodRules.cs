using static Rlhf.Core.MethodDefaults;

namespace Rlhf.Core;

/// <summary>Combinations that contradict each other, each with its reason.</summary>
public sealed partial record MethodConfig : IValidated
{
    private string Method => ConfigText.SnakeCase(Name.ToString());

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate() => [.. Steps(), .. PolicyLoss(), .. CriticRules(), .. KlRules(), .. RewardRules()];

    private IEnumerable<ConfigProblem> Steps()
    {
        if (HasNoRatio(Name) && Epochs > 1)
            yield return new(nameof(Epochs), $"must be 1: the loss of {Method} has no ratio π/π_old, so the same responses cannot be trained on twice. Use ppo, grpo or another method with a ratio.");
        if (HasNoRatio(Name) && RatioGuard > 0) yield return new(nameof(RatioGuard), $"must be 0: {Method} has no ratio to guard.");
        if (ConstantLength > 0 && Aggregation != Aggregation.ConstantLength)
            yield return new(nameof(ConstantLength), $"must be 0: it is read with aggregation: constant_length only, and aggregation is {ConfigText.Of(Aggregation)}.");
        if (PtxCoefficient > 0 && PtxData.Count == 0) yield return new(nameof(PtxCoefficient), "must be 0, or ptx_data must name files of text to mix in.");
        if (PtxCoefficient == 0 && PtxData.Count > 0) yield return new(nameof(PtxCoefficient), "must be above 0: ptx_data names text to mix in.");
    }

    private IEnumerable<ConfigProblem> PolicyLoss()
    {
        bool clips = Clips(Name), penalises = Name is MethodName.PpoPenalty or MethodName.OffPolicy;
        if (clips && ClipRange == 0) yield return new(nameof(ClipRange), $"must be above 0: the loss of {Method} is a clipped ratio, and a range of 0 has no gradient.");
        if (clips && Name != MethodName.Cispo && ClipRange >= 1) yield return new(nameof(ClipRange), $"must be below 1 for {Method}: the ratio is never negative. Only cispo leaves out the lower clip.");
        if (!clips && ClipRange > 0) yield return new(nameof(ClipRange), $"must be 0: the loss of {Method} is not clipped.");
        if (!clips && ClipRangeHigh > 0) yield return new(nameof(ClipRangeHigh), $"must be 0: the loss of {Method} is not clipped.");
        if (DualClip > 0 && (!clips || Name is MethodName.Gspo or MethodName.Cispo)) yield return new(nameof(DualClip), $"must be 0: {Method} has no dual clip.");
        if (DualClip is > 0 and <= 1) yield return new(nameof(DualClip), "must be above 1, or 0 for none (Ye et al. 2020 use 3).");
        if (!penalises && PenaltyCoefficient > 0) yield return new(nameof(PenaltyCoefficient), $"must be 0: {Method} has no KL(π_old‖π) penalty; ppo_penalty and off_policy have.");
        if (!penalises && PenaltyTarget > 0) yield return new(nameof(PenaltyTarget), $"must be 0: {Method} has no KL(π_old‖π) penalty; ppo_penalty and off_policy have.");
        if (penalises && PenaltyTarget > 0 && PenaltyCoefficient == 0) yield return new(nameof(PenaltyCoefficient), "must be above 0: doubling and halving never leave 0.");
        if (ImportanceCap > 0 && Name != MethodName.OffPolicy) yield return new(nameof(ImportanceCap), $"must be 0: only off_policy cuts importance weights; {Method} does not.");
        if (Correction == Correction.Reject && CorrectionLow >= 1) yield return new(nameof(CorrectionLow), "must be below 1: weights of a perfect sampler are 1.");
    }

    private IEnumerable<ConfigProblem> CriticRules()
    {
        bool byBaseline = Name == MethodName.Reinforce && Baseline == Baseline.Value, learnt = HasCritic(Name) || byBaseline;
        if (HasCritic(Name) && Critic == Critic.None)
            yield return new(nameof(Critic), $"must be shared or separate: {Method} learns a value. Without one use reinforce, rloo, grpo or remax.");
        if (byBaseline && Critic == Critic.None)
            yield return new(nameof(Baseline), "needs a critic, and critic is none. Add critic: shared (or separate) and a value_coefficient.");
        if (!learnt && Critic != Critic.None)
            yield return new(nameof(Critic), $"must be none: {Method} reads no value{(Name == MethodName.Reinforce ? " unless baseline is value" : "")}.");
        if (Critic == Critic.None)
        {
            if (ValueClipRange > 0) yield return new(nameof(ValueClipRange), "must be 0: there is no critic whose values could be clipped.");
            if (ValueCoefficient > 0) yield return new(nameof(ValueCoefficient), "must be 0: there is no critic.");
            if (CriticWarmupIterations > 0) yield return new(nameof(CriticWarmupIterations), "must be 0: there is no critic to warm up.");
        }
        else if (ValueCoefficient == 0)
        {
            yield return new(nameof(ValueCoefficient), "must be above 0: a critic that is not trained stays at its start.");
        }

        bool reinforce = Name is MethodName.Reinforce or MethodName.Remax;
        if (!reinforce && Baseline != Baseline.None) yield return new(nameof(Baseline), $"must be none: {Method} has a baseline of its own; reinforce lets it be chosen.");
        if (Name == MethodName.Remax && Baseline != Baseline.Greedy) yield return new(nameof(Baseline), "must be greedy: that is what remax is. reinforce has the others.");
        if (BaselineConstant != 0 && Baseline != Baseline.Constant) yield return new(nameof(BaselineConstant), $"must be 0: it is read with baseline: constant only, and baseline is {ConfigText.Of(Baseline)}.");
        if (WhitenAdvantages && IsGroupMethod(Name) && Name != MethodName.Rloo)
            yield return new(nameof(WhitenAdvantages), $"must be false: {Method} normalises over the responses to one prompt; a second normalisation over the batch undoes it.");
        if (WhitenAdvantages && Name == MethodName.ReinforcePlusPlus) yield return new(nameof(WhitenAdvantages), "must be false: reinforce_plus_plus whitens its advantages itself.");
        if (WhitenAdvantages && Baseline == Baseline.Constant) yield return new(nameof(WhitenAdvantages), "must be false: whitening takes every constant baseline away again.");
    }

    private IEnumerable<ConfigProblem> KlRules()
    {
        if (KlTarget > 0 && KlCoefficient == 0) yield return new(nameof(KlCoefficient), "must be above 0: kl_target adapts it by factors, which never leave 0.");
        if (KlPlace == KlPlace.Reward && KlCoefficient > 0 && Name is MethodName.Dapo && DynamicSampling)
            yield return new(nameof(KlPlace), "must be loss: dapo leaves out prompts whose scores are all equal, which a KL in the reward hides.");
    }

    private IEnumerable<ConfigProblem> RewardRules()
    {
        if (FreeLength > 0 && LengthPenalty == 0) yield return new(nameof(FreeLength), "must be 0: it is read with length_penalty above 0 only.");
        if (RewardScale == 0) yield return new(nameof(RewardScale), "must not be 0: every score would be 0.");
        bool group = RewardNormalization is RewardNormalization.Group or RewardNormalization.GroupMean;
        if (group && IsGroupMethod(Name)) yield return new(nameof(RewardNormalization), $"must not be {ConfigText.Of(RewardNormalization)}: {Method} compares the responses to one prompt itself.");
        if (DynamicSampling && !IsGroupMethod(Name)) yield return new(nameof(DynamicSampling), $"must be false: it leaves out prompts whose responses tell a group method nothing, and {Method} is none.");
    }
}

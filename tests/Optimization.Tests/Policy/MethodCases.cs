using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

/// <summary>Every method, and every option that changes what a step is.</summary>
public static class MethodCases
{
    public static IEnumerable<TestCaseData> Methods() => Enum.GetValues<MethodName>().Select(name => Case(MethodConfig.KeyOf(name), MethodDefaults.Of(name)));

    public static IEnumerable<TestCaseData> All()
    {
        foreach (TestCaseData method in Methods()) yield return method;
        MethodConfig ppo = MethodDefaults.Of(MethodName.Ppo), a2c = MethodDefaults.Of(MethodName.A2c), grpo = MethodDefaults.Of(MethodName.Grpo);
        MethodConfig reinforce = MethodDefaults.Of(MethodName.Reinforce);
        yield return Case("ppo, separate critic", ppo with { Critic = Critic.Separate });
        yield return Case("ppo, dual and asymmetric clip", ppo with { ClipRange = 0.1, ClipRangeHigh = 0.3, DualClip = 1.5 });
        foreach (KlEstimate estimate in Enum.GetValues<KlEstimate>())
        {
            yield return Case($"ppo, {estimate} in the loss", ppo with { KlPlace = KlPlace.Loss, KlEstimator = estimate });
            yield return Case($"ppo, {estimate} in the reward", ppo with { KlEstimator = estimate });
        }

        foreach (Aggregation aggregation in Enum.GetValues<Aggregation>()) yield return Case($"ppo, {aggregation}", ppo with { Aggregation = aggregation });
        yield return Case("ppo, entropy bonus and adaptive KL", ppo with { EntropyCoefficient = 0.02, KlTarget = 1 });
        yield return Case("ppo-ptx", ppo with { PtxCoefficient = 0.5, PtxData = ["text"] });
        yield return Case("ppo, critic warm-up", ppo with { CriticWarmupIterations = 1 });
        yield return Case("ppo, critic warm-up of a separate critic", ppo with { CriticWarmupIterations = 1, Critic = Critic.Separate });
        yield return Case("ppo, token rewards, reward baseline, penalties", ppo with
        {
            TokenRewards = true, RewardBaseline = RewardBaseline.Reference, MissingEosPenalty = 0.5, LengthPenalty = 0.1, FreeLength = 3, RewardScale = 0.5, RewardTemperature = 2,
        });
        foreach (RewardNormalization normalization in Enum.GetValues<RewardNormalization>()) yield return Case($"ppo, rewards {normalization}", ppo with { RewardNormalization = normalization });
        foreach (AdvantageEstimator estimator in Enum.GetValues<AdvantageEstimator>()) yield return Case($"a2c, {estimator}", a2c with { Advantage = estimator, AdvantageSteps = 2 });
        foreach (Baseline baseline in Enum.GetValues<Baseline>())
        {
            bool value = baseline == Baseline.Value;
            yield return Case($"reinforce, baseline {baseline}", reinforce with
            {
                Baseline = baseline, BaselineConstant = baseline == Baseline.Constant ? 0.5 : 0, Critic = value ? Critic.Shared : Critic.None, ValueCoefficient = value ? 0.1 : 0,
            });
        }

        foreach (CorrectionScope scope in Enum.GetValues<CorrectionScope>())
        {
            yield return Case($"grpo, truncated by {scope}", grpo with { Correction = Correction.Truncate, CorrectionScope = scope });
            yield return Case($"grpo, rejected by {scope}", grpo with { Correction = Correction.Reject, CorrectionScope = scope, CorrectionLow = 0.2, CorrectionHigh = 5 });
        }

        yield return Case("grpo, truncated responses left out", grpo with { LeaveOutTruncated = true });
        yield return Case("reinforce++ with baseline", MethodDefaults.Of(MethodName.ReinforcePlusPlus) with { RewardNormalization = RewardNormalization.GroupMean });
    }

    private static TestCaseData Case(string name, MethodConfig method) => new TestCaseData(method).SetArgDisplayNames(name);
}

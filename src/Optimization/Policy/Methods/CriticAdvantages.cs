using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>Advantages from a learnt value, by the configured estimator.</summary>
internal static class CriticAdvantages
{
    public static void Fill(TrajectoryBatch b, MethodConfig config)
    {
        switch (config.Advantage)
        {
            case AdvantageEstimator.MonteCarlo:
                MonteCarlo.Compute(b.Offsets, b.ResponseMask, b.Rewards, b.OldValues, config.Gamma, b.Advantages, b.Returns);
                break;
            case AdvantageEstimator.TdZero:
                TdZero.Compute(b.Offsets, b.ResponseMask, b.Rewards, b.OldValues, config.Gamma, b.Advantages, b.Returns);
                break;
            case AdvantageEstimator.NStep:
                NStep.Compute(b.Offsets, b.ResponseMask, b.Rewards, b.OldValues, config.Gamma, config.AdvantageSteps, b.Advantages, b.Returns);
                break;
            default:
                Gae.Compute(b.Offsets, b.ResponseMask, b.Rewards, b.OldValues, config.Gamma, config.Lambda, b.Advantages, b.Returns);
                break;
        }
    }
}

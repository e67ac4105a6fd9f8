using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>Importance weights π_old/π_sampler where the two disagree (other kernels, lower precision, sampling filters), as constants of the loss.</summary>
public static class SamplerCorrection
{
    /// <summary>Fills Corrections of the batch; null when the method has none.</summary>
    public static CorrectionSums? Fill(TrajectoryBatch batch, MethodConfig config)
    {
        if (config.Correction == Correction.None) return null;
        var level = (CorrectionLevel)config.CorrectionScope;
        ImportanceCorrection correction = config.Correction == Correction.Truncate
            ? ImportanceCorrection.Truncate(level, config.CorrectionHigh)
            : ImportanceCorrection.Reject(level, config.CorrectionLow, config.CorrectionHigh);
        batch.Corrections = new double[batch.Tokens];
        return correction.Fill(batch.Offsets, batch.ResponseMask, batch.OldLogProbs, batch.SamplerLogProbs, batch.Corrections);
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// The PPO objective of one micro-batch with its gradients: L = L_clip + c_v · L_value − c_e · H, every term weighted by the global token
/// count of the minibatch, so that micro-batches add up.
/// </summary>
/// <param name="Policy">Sums of the clipped surrogate.</param>
/// <param name="Value">Sums of the value loss, before its coefficient.</param>
/// <param name="Entropy">Σ H over tokens, 0 when not computed.</param>
/// <param name="Loss">L of this micro-batch.</param>
/// <param name="LogProbGradient">[tokens] ∂L/∂log π.</param>
/// <param name="EntropyGradient">[tokens] ∂L/∂H.</param>
/// <param name="ValueGradient">[tokens] ∂L/∂V.</param>
public sealed record MicroBatchLoss(
    PolicyLossSums Policy, ValueLossSums Value, double Entropy, double Loss, float[] LogProbGradient, float[] EntropyGradient, float[] ValueGradient)
{
    /// <param name="batch">The iteration's columns.</param>
    /// <param name="rows">Responses of this micro-batch, in the collated order.</param>
    /// <param name="offsets">[rows + 1] of the collated tokens.</param>
    /// <param name="forward">Current log-probs (and entropies).</param>
    /// <param name="values">[tokens] current V.</param>
    /// <param name="counts">Counts of the whole minibatch.</param>
    /// <param name="loss">The policy loss.</param>
    /// <param name="config">Coefficients.</param>
    public static MicroBatchLoss Compute(
        TrajectoryBatch batch, int[] rows, int[] offsets, HeadForward forward, float[] values, AggregationCounts counts, IPolicyLoss loss, MethodConfig config)
    {
        int n = offsets[^1];
        double[] logProbs = new double[n], current = new double[n], old = Gather(batch.OldLogProbs), advantages = Gather(batch.Advantages);
        for (int t = 0; t < n; t++) (logProbs[t], current[t]) = (forward.LogProbs[t], values[t]);
        bool[] mask = new bool[n];
        Array.Fill(mask, true);
        double[] weights = new double[n], gradient = new double[n], entropyGradient = new double[n], valueGradient = new double[n];
        AggregationWeights.Fill(LossAggregation.TokenMean, counts, offsets, mask, weights);
        var columns = new PolicyBatch
        {
            Offsets = offsets, ResponseMask = mask, LogProbs = logProbs, OldLogProbs = old, Advantages = advantages, Weights = weights,
        };
        PolicyLossSums policy = loss.Evaluate(columns, gradient);
        double total = policy.Loss, entropy = 0;
        if (forward.Entropies.Length > 0)
        {
            double[] entropies = [.. forward.Entropies.Select(h => (double)h)];
            entropy = entropies.Sum();
            total += EntropyBonus.Evaluate(config.EntropyCoefficient, mask, entropies, weights, entropyGradient);
        }

        double clip = config.ValueClipRange > 0 ? config.ValueClipRange : double.MaxValue;
        ValueLossSums value = ValueLoss.Clipped(mask, current, Gather(batch.OldValues), Gather(batch.Returns), weights, clip, valueGradient);
        total += config.ValueCoefficient * value.Loss;
        return new MicroBatchLoss(
            policy, value, entropy, total, ToFloat(gradient, 1), ToFloat(entropyGradient, 1), ToFloat(valueGradient, config.ValueCoefficient));

        double[] Gather(double[] column)
        {
            double[] gathered = new double[n];
            for (int i = 0; i < rows.Length; i++) column.AsSpan(batch.Response(rows[i])).CopyTo(gathered.AsSpan(offsets[i]));
            return gathered;
        }
    }

    private static float[] ToFloat(double[] values, double scale)
    {
        float[] result = new float[values.Length];
        for (int i = 0; i < values.Length; i++) result[i] = (float)(values[i] * scale);
        return result;
    }
}

using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>Sums of one micro-batch; they add up over the minibatch.</summary>
/// <param name="Policy">Sums of the method's loss.</param>
/// <param name="Value">Sums of the value loss, before its coefficient.</param>
/// <param name="Loss">L of this micro-batch, every term included.</param>
public readonly record struct MicroBatchSums(PolicyLossSums Policy, ValueLossSums Value, double Loss);

/// <summary>
/// The objective of one micro-batch with its gradients: L = L_method + β · KL(π‖reference) + c_v · L_value − c_e · H, every term weighted by global counts of
/// the minibatch, so that micro-batches add up. Buffers are kept from call to call: the gradients are valid until the next one.
/// </summary>
/// <param name="config">Coefficients.</param>
/// <param name="constantLength">What constant_length divides by.</param>
/// <param name="histogram">Takes every ratio.</param>
public sealed class MicroBatchLoss(MethodConfig config, int constantLength, RatioHistogram histogram)
{
    private double[][] _columns = [];
    private float[][] _gradients = [];
    private bool[] _mask = [];
    private int _tokens;

    private enum Column { LogProbs, Old, Reference, Advantages, Corrections, Weights, ValueWeights, Entropies, Values, OldValues, Returns, Gradient, EntropyGradient, KlGradient, ValueGradient }

    /// <summary>[tokens] ∂L/∂log π.</summary>
    public ReadOnlySpan<float> LogProbGradient => _gradients[0].AsSpan(0, _tokens);

    /// <summary>[tokens] ∂L/∂H; empty without an entropy bonus.</summary>
    public ReadOnlySpan<float> EntropyGradient => config.EntropyCoefficient > 0 ? _gradients[1].AsSpan(0, _tokens) : [];

    /// <summary>[tokens] ∂L/∂KL of the exact KL; empty unless it is in the loss.</summary>
    public ReadOnlySpan<float> FullKlGradient => FullKlInLoss ? _gradients[2].AsSpan(0, _tokens) : [];

    /// <summary>[tokens] ∂L/∂V.</summary>
    public Memory<float> ValueGradient => _gradients[3].AsMemory(0, _tokens);

    /// <summary>True when the exact KL is a term of the loss.</summary>
    public bool FullKlInLoss => config.KlPlace == KlPlace.Loss && config.KlEstimator == KlEstimate.FullVocabulary;

    /// <param name="batch">The iteration's columns.</param>
    /// <param name="rows">Responses of this micro-batch, in the collated order.</param>
    /// <param name="offsets">[rows + 1] of the collated tokens.</param>
    /// <param name="forward">Current log-probs (entropies, exact KL).</param>
    /// <param name="values">[tokens] current V, or empty without a critic.</param>
    /// <param name="counts">Counts of the whole minibatch.</param>
    /// <param name="loss">The method's loss.</param>
    /// <param name="klCoefficient">β now; used when the KL is in the loss.</param>
    public MicroBatchSums Compute(
        TrajectoryBatch batch, int[] rows, int[] offsets, HeadForward forward, ReadOnlySpan<float> values, AggregationCounts counts, IPolicyLoss loss, double klCoefficient)
    {
        Reserve(offsets[^1]);
        Span<bool> mask = _mask.AsSpan(0, _tokens);
        for (int i = 0; i < rows.Length; i++) batch.ResponseMask.AsSpan(batch.Response(rows[i])).CopyTo(mask[offsets[i]..]);
        Span<double> logProbs = Of(Column.LogProbs), weights = Of(Column.Weights), gradient = Of(Column.Gradient);
        Widen(forward.LogProbs, logProbs);
        AggregationWeights.Fill((LossAggregation)config.Aggregation, counts, offsets, mask, weights, constantLength);
        var columns = new PolicyBatch
        {
            Offsets = offsets, ResponseMask = mask, LogProbs = logProbs, OldLogProbs = Gather(Column.Old, batch.OldLogProbs), Advantages = Gather(Column.Advantages, batch.Advantages),
            Weights = weights, Corrections = batch.Corrections.Length == 0 ? [] : Gather(Column.Corrections, batch.Corrections),
        };
        PolicyLossSums policy = loss.Evaluate(columns, gradient);
        histogram.Add(mask, logProbs, columns.OldLogProbs);
        double total = policy.Loss + Entropy(forward, mask, weights) + Kl(forward, mask, logProbs, weights, gradient, klCoefficient, Gather(Column.Reference, batch.ReferenceLogProbs));
        Narrow(gradient, 1, _gradients[0]);

        ValueLossSums value = default;
        if (!values.IsEmpty)
        {
            // The critic's targets are tokens', whatever the policy's loss is averaged over.
            AggregationWeights.Fill(LossAggregation.TokenMean, counts, offsets, mask, Of(Column.ValueWeights));
            Widen(values, Of(Column.Values));
            double clip = config.ValueClipRange > 0 ? config.ValueClipRange : double.MaxValue;
            value = ValueLoss.Clipped(
                mask, Of(Column.Values), Gather(Column.OldValues, batch.OldValues), Gather(Column.Returns, batch.Returns), Of(Column.ValueWeights), clip, Of(Column.ValueGradient));
            total += config.ValueCoefficient * value.Loss;
            Narrow(Of(Column.ValueGradient), config.ValueCoefficient, _gradients[3]);
        }

        return new MicroBatchSums(policy, value, total);

        Span<double> Gather(Column column, double[] from)
        {
            Span<double> gathered = Of(column);
            for (int i = 0; i < rows.Length; i++) from.AsSpan(batch.Response(rows[i])).CopyTo(gathered[offsets[i]..]);
            return gathered;
        }
    }

    private double Entropy(HeadForward forward, ReadOnlySpan<bool> mask, ReadOnlySpan<double> weights)
    {
        if (config.EntropyCoefficient == 0) return 0;
        Widen(forward.Entropies, Of(Column.Entropies));
        double loss = EntropyBonus.Evaluate(config.EntropyCoefficient, mask, Of(Column.Entropies), weights, Of(Column.EntropyGradient));
        Narrow(Of(Column.EntropyGradient), 1, _gradients[1]);
        return loss;
    }

    private double Kl(HeadForward forward, ReadOnlySpan<bool> mask, ReadOnlySpan<double> logProbs, ReadOnlySpan<double> weights, Span<double> gradient, double coefficient, ReadOnlySpan<double> reference)
    {
        if (config.KlPlace != KlPlace.Loss) return 0;
        if (!FullKlInLoss) return KlPenalty.Add((KlEstimator)config.KlEstimator, coefficient, mask, logProbs, reference, weights, gradient).Loss;
        Span<double> byKl = Of(Column.KlGradient);
        double loss = 0;
        for (int t = 0; t < _tokens; t++)
        {
            byKl[t] = mask[t] ? coefficient * weights[t] : 0;
            if (mask[t]) loss += byKl[t] * forward.FullKl[t];
        }

        Narrow(byKl, 1, _gradients[2]);
        return loss;
    }

    private Span<double> Of(Column column) => _columns[(int)column].AsSpan(0, _tokens);

    private void Reserve(int tokens)
    {
        _tokens = tokens;
        if (_mask.Length >= tokens) return;
        int size = Math.Max(tokens, _mask.Length * 2);
        _mask = new bool[size];
        _columns = [.. Enum.GetValues<Column>().Select(_ => new double[size])];
        _gradients = [.. Enumerable.Range(0, 4).Select(_ => new float[size])];
    }

    private static void Widen(ReadOnlySpan<float> from, Span<double> to)
    {
        for (int t = 0; t < to.Length; t++) to[t] = from[t];
    }

    private static void Narrow(ReadOnlySpan<double> from, double scale, Span<float> to)
    {
        for (int t = 0; t < from.Length; t++) to[t] = (float)(from[t] * scale);
    }
}

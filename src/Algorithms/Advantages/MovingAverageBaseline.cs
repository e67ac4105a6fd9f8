namespace Rlhf.Algorithms;

/// <summary>State of a <see cref="MovingAverageBaseline"/>, for the checkpoint.</summary>
/// <param name="Sum">Σ μ^(n−k) (1 − μ) r̄_k.</param>
/// <param name="Weight">1 − μ^n.</param>
public readonly record struct MovingAverageState(double Sum, double Weight);

/// <summary>
/// Exponential moving average of the batches' mean reward as REINFORCE's baseline (Williams 1992, section 9):
/// s ← μ s + (1 − μ) r̄, b = s / (1 − μ^n), so the first batches are not pulled to 0. The baseline of a batch is the one from before it:
/// it depends on no reward of its own. Before the first batch it is 0.
/// </summary>
public sealed class MovingAverageBaseline
{
    private readonly double _decay;

    public MovingAverageBaseline(double decay, MovingAverageState state = default)
    {
        Require.Range(decay is >= 0 and < 1, decay, "in [0, 1)");
        (_decay, State) = (decay, state);
    }

    public MovingAverageState State { get; private set; }

    /// <summary>b.</summary>
    public double Baseline => State.Weight > 0 ? State.Sum / State.Weight : 0;

    /// <summary>Fills A = r − b, then takes the batch into b.</summary>
    public void Advantages(ReadOnlySpan<double> rewards, Span<double> advantages)
    {
        Require.Length(advantages.Length, rewards.Length, nameof(advantages));
        if (rewards.IsEmpty) return;
        double baseline = Baseline, mean = Moments.Of(rewards).Mean;
        for (int i = 0; i < rewards.Length; i++) advantages[i] = rewards[i] - baseline;
        State = new MovingAverageState((_decay * State.Sum) + ((1 - _decay) * mean), (_decay * State.Weight) + (1 - _decay));
    }
}

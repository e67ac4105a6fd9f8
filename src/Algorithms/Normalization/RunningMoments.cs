namespace Rlhf.Algorithms;

/// <summary>Moments of everything seen so far; <see cref="State"/> goes to the checkpoint and back.</summary>
public sealed class RunningMoments(Moments state = default)
{
    /// <summary>All numbers seen.</summary>
    public Moments State { get; private set; } = state;

    /// <summary>μ; 0 before the first number.</summary>
    public double Mean => State.Mean;

    /// <summary>√ of the sample variance; 1 while fewer than two numbers (or only equal ones) were seen, so that dividing is harmless.</summary>
    public double StandardDeviation => State.SampleVariance > 0 ? Math.Sqrt(State.SampleVariance) : 1;

    /// <summary>Takes a batch in.</summary>
    public void Update(ReadOnlySpan<double> batch) => State += Moments.Of(batch);
}

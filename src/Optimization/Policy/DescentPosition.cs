using Rlhf.Algorithms;

namespace Rlhf.Optimization;

/// <summary>
/// Where the epochs of an iteration are. With the weights, the moments and the batch's old log-probs and values it is all that the next minibatch depends on:
/// its rows and their order are functions of the iteration and the epoch, rewards and advantages of the scored file and the old log-probs.
/// </summary>
public sealed record DescentPosition
{
    /// <summary>From 0.</summary>
    public int Epoch { get; init; }

    /// <summary>Minibatches of the epoch that are done.</summary>
    public int Step { get; init; }

    /// <summary>Minibatches of an epoch.</summary>
    public int Steps { get; init; }

    public int Epochs { get; init; }

    /// <summary>The sum of approx_kl of the epoch's minibatches so far, over the number of those that train; target_kl judges it at the epoch's end.</summary>
    public double EpochKl { get; init; }

    /// <summary>True when the first minibatch's ratios were held against 1.</summary>
    public bool FirstRatioChecked { get; init; }

    /// <summary>max |ratio − 1| on the first minibatch.</summary>
    public double FirstRatioGap { get; init; }

    /// <summary>True when target_kl ended the epochs early; the position is then that after the last one.</summary>
    public bool StoppedEarly { get; init; }

    public StepSums Sums { get; init; } = new();

    /// <summary>Counts of <see cref="Rlhf.Algorithms.RatioHistogram"/>.</summary>
    public IReadOnlyList<long> Ratios { get; init; } = [];

    /// <summary>Minibatches of the iteration that are done.</summary>
    public int Done => (Epoch * Steps) + Step;

    /// <summary>Minibatches of the iteration, unless target_kl ends it early.</summary>
    public int Planned => Epochs * Steps;

    /// <summary>False for numbers that no iteration has.</summary>
    internal bool IsPossible =>
        Epochs >= 0 && Steps >= 0 && Epoch >= 0 && Epoch <= Epochs && Step >= 0 && Step <= Steps && (long)Epochs * Steps <= int.MaxValue
        && Sums is { Steps: >= 0, Guarded: >= 0 } && Ratios is not null && (Ratios.Count == 0 || Ratios.Count == RatioHistogram.LowerBounds.Length) && Ratios.All(n => n >= 0);

    /// <summary>"after minibatch 5 of 16".</summary>
    public override string ToString() => Epochs > 0 && Epoch == Epochs ? "after its last minibatch" : Done == 0 ? $"before the first of {Planned} minibatches" : $"after minibatch {Done} of {Planned}";
}

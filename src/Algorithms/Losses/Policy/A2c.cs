namespace Rlhf.Algorithms;

/// <summary>
/// Advantage actor-critic (Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", synchronous): ℓ = −A log π with A from a learnt
/// value (<see cref="MonteCarlo"/>, <see cref="TdZero"/>, <see cref="NStep"/> or <see cref="Gae"/>), beside <see cref="ValueLoss"/> and
/// <see cref="EntropyBonus"/>. One epoch: there is no ratio to hold it near π_old.
/// </summary>
public sealed class A2c : IPolicyLoss
{
    private readonly Reinforce _actor = new();

    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) => _actor.Evaluate(batch, gradient);
}

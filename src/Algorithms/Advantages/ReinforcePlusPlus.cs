namespace Rlhf.Algorithms;

/// <summary>
/// REINFORCE++ (Hu et al. 2025, "REINFORCE++: stabilizing critic-free policy optimization with global advantage normalization"):
/// A_t = Σ_{k≥t} γ^{k−t} r_k over token rewards (KL inside), then whitened over all trained-on tokens of the <em>whole</em> batch.
/// The variant with baseline subtracts the prompt's mean score first (<see cref="Grpo.CentredAdvantages"/> on the scores).
/// </summary>
public static class ReinforcePlusPlus
{
    /// <summary>Fills whitened advantages, 0 where not trained on. Call it on the whole batch, before it is cut.</summary>
    public static void Advantages(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, double gamma, Span<double> advantages)
    {
        MonteCarlo.Returns(offsets, responseMask, rewards, gamma, advantages);
        Whitening.ToZeroMeanUnitVariance(advantages, responseMask);
    }
}

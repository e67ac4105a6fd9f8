namespace Rlhf.Algorithms;

/// <summary>A policy loss L = Σ_t w_t c_t ℓ_t with its analytic gradient.</summary>
public interface IPolicyLoss
{
    /// <summary>Writes ∂L/∂log π of every token (0 where not trained on) and returns the sums of this (micro-)batch.</summary>
    /// <param name="batch">The columns.</param>
    /// <param name="gradient">[tokens] written.</param>
    PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient);
}

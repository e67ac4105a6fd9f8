namespace Rlhf.Algorithms;

/// <summary>
/// PPO with a KL penalty instead of the clip (Schulman et al. 2017, equation 8): ℓ = −ρ A + β KL(π_old‖π), ρ = π/π_old,
/// β adaptive (<see cref="DoublingKlController"/> is the paper's rule).
/// Deviation 1: the KL of a token is its k3 on the sampled token, ρ − 1 − log ρ (samples come from π_old, so it is unbiased, gradient included).
/// Deviation 2: log ρ is cut to ±<see cref="LogRatio.Limit"/>.
/// </summary>
/// <param name="controller">Read at every evaluation: β now.</param>
public sealed class PpoPenalty(IKlController controller) : IPolicyLoss
{
    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) =>
        TokenLoop.Run(new TokenLoss(controller.Coefficient), batch, gradient);

    private readonly struct TokenLoss(double beta) : ITokenLoss
    {
        public double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient)
        {
            double cut = LogRatio.Cut(logRatio), ratio = Math.Exp(cut);
            gradient = LogRatio.IsCut(logRatio) ? 0 : (-ratio * advantage) + (beta * (ratio - 1));
            return (-ratio * advantage) + (beta * (ratio - 1 - cut));
        }
    }
}

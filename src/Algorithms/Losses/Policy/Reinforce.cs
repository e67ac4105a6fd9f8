namespace Rlhf.Algorithms;

/// <summary>
/// REINFORCE (Williams 1992): ℓ = −A log π. A is a return less a baseline of any kind (none, constant, moving average, greedy response, group, value).
/// </summary>
public sealed class Reinforce : IPolicyLoss
{
    /// <inheritdoc/>
    public PolicyLossSums Evaluate(in PolicyBatch batch, Span<double> gradient) => TokenLoop.Run(default(TokenLoss), batch, gradient);

    private readonly struct TokenLoss : ITokenLoss
    {
        public double Token(double logProb, double logRatio, double advantage, ref PolicyLossSums sums, out double gradient)
        {
            gradient = -advantage;
            return -advantage * logProb;
        }
    }
}

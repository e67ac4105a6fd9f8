namespace Rlhf.Algorithms.Tests;

/// <summary>
/// Every policy loss beside a second, naive implementation. The naive one takes the log-probs to differentiate and, apart from them, those that
/// stop-gradient factors are made of.
/// </summary>
public sealed record PolicyLossCase(string Name, IPolicyLoss Loss, double Spread)
{
    public required Func<RandomBatch, double[], double[], double> Naive { get; init; }

    public override string ToString() => Name;
}

public static class PolicyLossCases
{
    public static IEnumerable<PolicyLossCase> All()
    {
        yield return new("ppo-clip", new PpoClip(0.2), 0.4) { Naive = Tokens((r, a, _, _) => -Math.Min(r * a, Bound(r, 0.8, 1.2) * a)) };
        yield return new("ppo-clip asymmetric", new PpoClip(0.1, 0.3), 0.4) { Naive = Tokens((r, a, _, _) => -Math.Min(r * a, Bound(r, 0.9, 1.3) * a)) };
        yield return new("ppo-clip dual", new PpoClip(0.2, dualClip: 1.5), 0.6)
        {
            Naive = Tokens((r, a, _, _) =>
            {
                double clipped = Math.Max(-r * a, -Bound(r, 0.8, 1.2) * a);
                return a < 0 ? Math.Min(clipped, -1.5 * a) : clipped;
            }),
        };
        yield return new("reinforce", new Reinforce(), 0.4) { Naive = Tokens((_, a, p, _) => -a * p) };
    }

    private static double Bound(double x, double low, double high) => x < low ? low : x > high ? high : x;

    private static Func<RandomBatch, double[], double[], double> Tokens(Func<double, double, double, double, double> loss) => (b, p, constant) =>
        Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t =>
            b.Weights[t] * b.Corrections[t]
            * loss(Math.Exp(p[t]) / Math.Exp(b.OldLogProbs[t]), b.Advantages[t], p[t], Math.Exp(constant[t]) / Math.Exp(b.OldLogProbs[t])));
}

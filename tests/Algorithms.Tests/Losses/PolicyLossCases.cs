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
        yield return new("a2c", new A2c(), 0.4) { Naive = Tokens((_, a, p, _) => -a * p) };
        yield return new("off-policy", new OffPolicyGradient(), 0.4) { Naive = Tokens((_, a, p, c) => -c * a * p) };
        yield return new("off-policy truncated", new OffPolicyGradient(1.1), 0.4) { Naive = Tokens((_, a, p, c) => -(c < 1.1 ? c : 1.1) * a * p) };
        yield return new("cispo", new Cispo(0.9, 0.2), 0.4) { Naive = Tokens((_, a, p, c) => -Bound(c, 0.1, 1.2) * a * p) };
        yield return new("cispo two-sided", new Cispo(0.2, 0.2), 0.4) { Naive = Tokens((_, a, p, c) => -Bound(c, 0.8, 1.2) * a * p) };
        yield return new("ppo-penalty", new PpoPenalty(new FixedKlController(0.7)), 0.4)
        {
            Naive = Tokens((r, a, _, _) => (-r * a) + (0.7 * (r - 1 - Math.Log(r)))),
        };
        yield return new("off-policy truncated with a penalty", new OldPolicyPenalty(new OffPolicyGradient(1.1), 0.7), 0.4)
        {
            Naive = Tokens((r, a, p, c) => (-(c < 1.1 ? c : 1.1) * a * p) + (0.7 * (r - 1 - Math.Log(r)))),
        };
        yield return new("gspo", new Gspo(0.1, 0.2), 0.4) { Naive = Sequences };
    }

    private static double Bound(double x, double low, double high) => x < low ? low : x > high ? high : x;

    /// <summary>GSPO: one ratio a sequence, the geometric mean of the token ratios.</summary>
    private static double Sequences(RandomBatch b, double[] p, double[] constant) =>
        Enumerable.Range(0, b.Sequences).Sum(i =>
        {
            int[] trained = [.. b.TrainedOf(i)];
            double product = trained.Aggregate(1.0, (x, t) => x * Math.Exp(p[t]) / Math.Exp(b.OldLogProbs[t]));
            double s = Math.Pow(product, 1.0 / Math.Max(1, trained.Length));
            return trained.Sum(t => -b.Weights[t] * b.Corrections[t] * Math.Min(s * b.Advantages[t], Bound(s, 0.9, 1.2) * b.Advantages[t]));
        });

    private static Func<RandomBatch, double[], double[], double> Tokens(Func<double, double, double, double, double> loss) => (b, p, constant) =>
        Enumerable.Range(0, b.Tokens).Where(t => b.Mask[t]).Sum(t =>
            b.Weights[t] * b.Corrections[t]
            * loss(Math.Exp(p[t]) / Math.Exp(b.OldLogProbs[t]), b.Advantages[t], p[t], Math.Exp(constant[t]) / Math.Exp(b.OldLogProbs[t])));
}

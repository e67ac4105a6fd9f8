namespace Rlhf.Algorithms;

/// <summary>Coefficients of <see cref="Ilql"/>; the defaults are trlX's.</summary>
public sealed record IlqlOptions
{
    /// <summary>τ in (0, 1).</summary>
    public double Tau { get; init; } = 0.7;

    /// <summary>γ in [0, 1].</summary>
    public double Gamma { get; init; } = 0.99;

    /// <summary>α of the CQL term.</summary>
    public double CqlCoefficient { get; init; } = 0.1;

    /// <summary>Weight of the cloning term.</summary>
    public double AwacCoefficient { get; init; } = 1;

    /// <summary>β of the cloning term; 0 clones all actions alike.</summary>
    public double AwacBeta { get; init; }
}

/// <summary>Columns over the response tokens of offline data: two Q heads, their slow copies, V, and the policy.</summary>
public readonly ref struct IlqlBatch
{
    /// <summary>[sequences + 1].</summary>
    public required ReadOnlySpan<int> Offsets { get; init; }

    /// <summary>[tokens] true = trained on.</summary>
    public required ReadOnlySpan<bool> ResponseMask { get; init; }

    /// <summary>[tokens].</summary>
    public required ReadOnlySpan<double> Rewards { get; init; }

    /// <summary>[tokens] Q₁(s_t, a_t) of the taken action.</summary>
    public required ReadOnlySpan<double> Q1 { get; init; }

    /// <summary>[tokens] Q₂(s_t, a_t).</summary>
    public required ReadOnlySpan<double> Q2 { get; init; }

    /// <summary>[tokens] log Σ_a exp Q₁(s_t, a).</summary>
    public required ReadOnlySpan<double> LogSumExpQ1 { get; init; }

    /// <summary>[tokens] log Σ_a exp Q₂(s_t, a).</summary>
    public required ReadOnlySpan<double> LogSumExpQ2 { get; init; }

    /// <summary>[tokens] min(Q̄₁, Q̄₂)(s_t, a_t) of the slow copies.</summary>
    public required ReadOnlySpan<double> TargetQ { get; init; }

    /// <summary>[tokens] V(s_t).</summary>
    public required ReadOnlySpan<double> Values { get; init; }

    /// <summary>[tokens] S of <see cref="BootstrapTargets"/>, the same V unless max or double Q is wanted.</summary>
    public required ReadOnlySpan<double> StateValues { get; init; }

    /// <summary>[tokens] log π(a_t|s_t), nats.</summary>
    public required ReadOnlySpan<double> LogProbs { get; init; }

    /// <summary>[tokens] of <see cref="AggregationWeights.Fill"/>.</summary>
    public required ReadOnlySpan<double> Weights { get; init; }
}

/// <summary>Where the gradients go: each [tokens], overwritten.</summary>
public readonly ref struct IlqlGradients
{
    public required Span<double> Q1 { get; init; }
    public required Span<double> Q2 { get; init; }
    public required Span<double> LogSumExpQ1 { get; init; }
    public required Span<double> LogSumExpQ2 { get; init; }
    public required Span<double> Values { get; init; }
    public required Span<double> LogProbs { get; init; }
}

/// <summary>Parts of the loss; those of micro-batches add up.</summary>
/// <param name="Bellman">Σ over both heads.</param>
/// <param name="Expectile">V on Q̄.</param>
/// <param name="Conservative">CQL, both heads, coefficient included.</param>
/// <param name="Cloning">AWAC, coefficient included.</param>
public readonly record struct IlqlLoss(double Bellman, double Expectile, double Conservative, double Cloning)
{
    /// <summary>L.</summary>
    public double Total => Bellman + Expectile + Conservative + Cloning;

    public static IlqlLoss operator +(IlqlLoss a, IlqlLoss b) =>
        new(a.Bellman + b.Bellman, a.Expectile + b.Expectile, a.Conservative + b.Conservative, a.Cloning + b.Cloning);

    public static IlqlLoss Add(IlqlLoss left, IlqlLoss right) => left + right;
}

/// <summary>
/// Implicit language Q-learning (Snell et al. 2022, "Offline RL for natural language generation with implicit language Q learning"):
/// L = Σ_{i=1,2} [(Q_i − y)² + α (logsumexp Q_i − Q_i)] + |τ − [Q̄ &lt; V]| (Q̄ − V)² − c e^{β(Q̄−V)} log π, all Σ_t w_t;  y_t = r_t + γ V_{t+1}.
/// y, Q̄ and the exponential are constants. Decoding: <see cref="IlqlDecoding"/>.
/// </summary>
public static class Ilql
{
    /// <summary>Writes all gradients (0 where not trained on); returns the parts of L.</summary>
    /// <param name="options">Coefficients.</param>
    /// <param name="batch">Columns.</param>
    /// <param name="gradients">Written.</param>
    /// <param name="targets">[tokens] y, written: for metrics and as scratch.</param>
    public static IlqlLoss Evaluate(IlqlOptions options, in IlqlBatch batch, in IlqlGradients gradients, Span<double> targets)
    {
        ReadOnlySpan<bool> mask = batch.ResponseMask;
        BootstrapTargets.Fill(batch.Offsets, mask, batch.Rewards, batch.StateValues, options.Gamma, targets);
        gradients.Q1.Clear();
        gradients.Q2.Clear();
        gradients.LogSumExpQ1.Clear();
        gradients.LogSumExpQ2.Clear();
        gradients.Values.Clear();
        gradients.LogProbs.Clear();
        return new IlqlLoss(
            BellmanLoss.Add(mask, batch.Q1, targets, batch.Weights, gradients.Q1) + BellmanLoss.Add(mask, batch.Q2, targets, batch.Weights, gradients.Q2),
            ExpectileLoss.Add(mask, batch.Values, batch.TargetQ, batch.Weights, options.Tau, gradients.Values),
            ConservativeLoss.Add(mask, batch.Q1, batch.LogSumExpQ1, batch.Weights, options.CqlCoefficient, gradients.Q1, gradients.LogSumExpQ1)
            + ConservativeLoss.Add(mask, batch.Q2, batch.LogSumExpQ2, batch.Weights, options.CqlCoefficient, gradients.Q2, gradients.LogSumExpQ2),
            Awac.Add(mask, batch.LogProbs, batch.TargetQ, batch.Values, batch.Weights, options.AwacBeta, options.AwacCoefficient, gradients.LogProbs));
    }
}

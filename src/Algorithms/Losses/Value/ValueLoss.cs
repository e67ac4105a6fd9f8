namespace Rlhf.Algorithms;

/// <summary>Sums over trained-on tokens; those of micro-batches add up.</summary>
/// <param name="Loss">½ Σ w (…)², weighted by global weights.</param>
/// <param name="SquaredErrorSum">Σ (v − R)².</param>
/// <param name="Clipped">Tokens where the clipped term is the larger one.</param>
/// <param name="Tokens">Trained-on tokens.</param>
public readonly record struct ValueLossSums(double Loss, double SquaredErrorSum, long Clipped, long Tokens)
{
    /// <summary>Share of clipped tokens.</summary>
    public double ClipFraction => Tokens == 0 ? 0 : (double)Clipped / Tokens;

    public static ValueLossSums operator +(ValueLossSums a, ValueLossSums b) =>
        new(a.Loss + b.Loss, a.SquaredErrorSum + b.SquaredErrorSum, a.Clipped + b.Clipped, a.Tokens + b.Tokens);

    public static ValueLossSums Add(ValueLossSums left, ValueLossSums right) => left + right;
}

/// <summary>
/// Value loss with PPO's clip (OpenAI baselines; Stiennon et al. 2020): v_c = clip(v, v_old − ε, v_old + ε),
/// L = ½ Σ_t w_t max((v − R)², (v_c − R)²). With an infinite ε (<see cref="double.MaxValue"/>) it is the plain squared error.
/// </summary>
public static class ValueLoss
{
    /// <summary>Writes ∂L/∂v of every token (0 where not trained on).</summary>
    /// <param name="responseMask">[tokens] true = trained on.</param>
    /// <param name="values">[tokens] v.</param>
    /// <param name="oldValues">[tokens] v_old, of the trajectories.</param>
    /// <param name="returns">[tokens] R.</param>
    /// <param name="weights">[tokens] of <see cref="AggregationWeights.Fill"/>.</param>
    /// <param name="clipRange">ε &gt; 0.</param>
    /// <param name="gradient">[tokens] written.</param>
    public static ValueLossSums Clipped(
        ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> values, ReadOnlySpan<double> oldValues, ReadOnlySpan<double> returns,
        ReadOnlySpan<double> weights, double clipRange, Span<double> gradient)
    {
        Require.Range(clipRange > 0, clipRange, "positive");
        int n = responseMask.Length;
        Require.Length(values.Length, n, nameof(values));
        Require.Length(oldValues.Length, n, nameof(oldValues));
        Require.Length(returns.Length, n, nameof(returns));
        Require.Length(weights.Length, n, nameof(weights));
        Require.Length(gradient.Length, n, nameof(gradient));
        double loss = 0, squared = 0;
        long clipped = 0, tokens = 0;
        for (int t = 0; t < n; t++)
        {
            if (!responseMask[t])
            {
                gradient[t] = 0;
                continue;
            }

            double error = values[t] - returns[t];
            double held = Math.Clamp(values[t], oldValues[t] - clipRange, oldValues[t] + clipRange);
            double heldError = held - returns[t];
            double term = error * error, heldTerm = heldError * heldError;
            tokens++;
            squared += term;
            gradient[t] = weights[t] * error;
            if (heldTerm > term)
            {
                // Larger only when the clip moved v: v_c is then a constant.
                clipped++;
                term = heldTerm;
                gradient[t] = 0;
            }

            loss += 0.5 * weights[t] * term;
        }

        return new ValueLossSums(loss, squared, clipped, tokens);
    }
}

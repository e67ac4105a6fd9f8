using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// REINFORCE (Williams 1992): A_t = Σ_{k≥t} γ^{k−t} r_k − b, ℓ = −A log π. b is 0, a constant, the moving average of earlier iterations' rewards, a learnt
/// value V(s_t), or the greedy response's score (which is ReMax).
/// </summary>
public sealed class ReinforceMethod(MethodConfig config) : PolicyMethod(config)
{
    /// <inheritdoc/>
    public override PolicyState Advantages(TrajectoryBatch batch, PolicyState state)
    {
        ReadOnlySpan<double> values = Config.Baseline == Baseline.Value ? batch.OldValues : [];
        MonteCarlo.Compute(batch.Offsets, batch.ResponseMask, batch.Rewards, values, Config.Gamma, batch.Advantages, batch.Returns);
        switch (Config.Baseline)
        {
            case Baseline.Constant:
                Subtract(batch, Config.BaselineConstant);
                return state;
            case Baseline.MovingAverage:
                var average = new MovingAverageBaseline(Config.BaselineDecay, state.Baseline);
                Subtract(batch, average.Baseline);
                double[] rewards = [.. GroupAdvantages.OfSequences(batch).Where((_, i) => batch.Scored[i])];
                average.Advantages(rewards, new double[rewards.Length]); // takes the iteration into the average
                return state with { Baseline = average.State };
            default:
                return state;
        }
    }

    /// <inheritdoc/>
    public override IPolicyLoss Loss(PolicyState state) => new Reinforce();

    private static void Subtract(TrajectoryBatch batch, double baseline)
    {
        for (int t = 0; t < batch.Advantages.Length; t++)
            if (batch.ResponseMask[t]) batch.Advantages[t] -= baseline;
    }
}

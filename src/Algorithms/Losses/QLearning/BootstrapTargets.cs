namespace Rlhf.Algorithms;

/// <summary>
/// One-step targets of Q learning: y_t = r_t + γ S_{t+1}, S = 0 after the last token. S is the value of the state before a token: V (ILQL),
/// max_a Q_target (DQN: Mnih et al. 2015), or Q_target(argmax_a Q) (double Q: van Hasselt et al. 2016). Steps are the trained-on tokens only.
/// </summary>
public static class BootstrapTargets
{
    /// <summary>Fills y, 0 where not trained on.</summary>
    public static void Fill(
        ReadOnlySpan<int> offsets, ReadOnlySpan<bool> responseMask, ReadOnlySpan<double> rewards, ReadOnlySpan<double> stateValues, double gamma,
        Span<double> targets)
    {
        Require.Range(gamma is >= 0 and <= 1, gamma, "in [0, 1]");
        Require.Ragged(offsets, responseMask.Length);
        Require.Length(rewards.Length, responseMask.Length, nameof(rewards));
        Require.Length(stateValues.Length, responseMask.Length, nameof(stateValues));
        Require.Length(targets.Length, responseMask.Length, nameof(targets));
        for (int i = 0; i + 1 < offsets.Length; i++)
        {
            double next = 0;
            for (int t = offsets[i + 1] - 1; t >= offsets[i]; t--)
            {
                targets[t] = responseMask[t] ? rewards[t] + (gamma * next) : 0;
                if (responseMask[t]) next = stateValues[t];
            }
        }
    }

    /// <summary>max_a of a row of target Q values.</summary>
    public static double Max(ReadOnlySpan<double> targetQ)
    {
        double max = double.NegativeInfinity;
        foreach (double q in targetQ) max = Math.Max(max, q);
        return max;
    }

    /// <summary>Q_target at the action that the online Q likes best (the first of equals).</summary>
    public static double Double(ReadOnlySpan<double> onlineQ, ReadOnlySpan<double> targetQ)
    {
        Require.Length(targetQ.Length, onlineQ.Length, nameof(targetQ));
        int best = 0;
        for (int a = 1; a < onlineQ.Length; a++)
            if (onlineQ[a] > onlineQ[best]) best = a;
        return targetQ[best];
    }
}

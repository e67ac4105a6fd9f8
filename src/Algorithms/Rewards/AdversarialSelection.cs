namespace Rlhf.Algorithms;

/// <summary>
/// Responses that a policy won with by leaving the language: the reward is among the highest, the reference hardly would have written them. They are what
/// a reward model is to be taught next ("adversarial samples").
/// </summary>
public static class AdversarialSelection
{
    /// <summary>The log-prob that a share of texts does not exceed: the k-th smallest, k = ⌊share · n⌋; −∞ where k is 0.</summary>
    /// <param name="logProbs">Mean log-prob per token of each text, nats.</param>
    /// <param name="share">0 to 1.</param>
    public static double Limit(ReadOnlySpan<double> logProbs, double share)
    {
        Require.Range(share is >= 0 and <= 1, share, "in [0, 1]", nameof(share));
        int k = Share.Floor(share, logProbs.Length);
        if (k == 0) return double.NegativeInfinity;
        double[] sorted = logProbs.ToArray();
        Array.Sort(sorted);
        return sorted[k - 1];
    }

    /// <summary>Indices, ascending, of the texts with reward ≥ the ⌈topShare · n⌉-th largest and mean log-prob ≤ limit.</summary>
    /// <param name="rewards">[n].</param>
    /// <param name="logProbs">[n] mean log-prob per token under the reference, nats.</param>
    /// <param name="topShare">Share of the rewards that counts as high; 0: none.</param>
    /// <param name="limit">Of <see cref="Limit"/>.</param>
    public static int[] Select(ReadOnlySpan<double> rewards, ReadOnlySpan<double> logProbs, double topShare, double limit)
    {
        Require.Length(logProbs.Length, rewards.Length, nameof(logProbs));
        Require.Range(topShare is >= 0 and <= 1, topShare, "in [0, 1]", nameof(topShare));
        int k = Share.Ceiling(topShare, rewards.Length);
        if (k == 0) return [];
        double[] sorted = rewards.ToArray();
        Array.Sort(sorted);
        double high = sorted[^k];
        var chosen = new List<int>();
        for (int i = 0; i < rewards.Length; i++)
        {
            if (rewards[i] >= high && logProbs[i] <= limit) chosen.Add(i);
        }

        return [.. chosen];
    }
}

namespace Rlhf.Algorithms;

/// <summary>A pair of samples of one prompt, by their indices.</summary>
/// <param name="Chosen">Index of the better one.</param>
/// <param name="Rejected">Index of the worse one.</param>
public readonly record struct SamplePair(int Chosen, int Rejected);

/// <summary>
/// Preference pairs from scored samples: the best against the worst of each prompt (as in iterative DPO: Xu et al. 2023, "Some things are more
/// CRINGE than others"; Dong et al. 2024, "RLHF workflow"), then the second best against the second worst, and so on.
/// </summary>
public static class PreferencePairs
{
    /// <summary>Pairs in the order of the prompts' first samples; equal scores keep the order of the samples.</summary>
    /// <param name="groups">[samples] number of the prompt.</param>
    /// <param name="scores">[samples].</param>
    /// <param name="valid">[samples] false: the score is not read; empty: all are valid.</param>
    /// <param name="minimumMargin">≥ 0: pairs whose scores differ by no more are left out (0: equal scores).</param>
    /// <param name="mostPerPrompt">≥ 1: pairs of one prompt; a sample is in one pair at most.</param>
    public static List<SamplePair> BestAgainstWorst(ReadOnlySpan<int> groups, ReadOnlySpan<double> scores, ReadOnlySpan<bool> valid, double minimumMargin = 0, int mostPerPrompt = 1)
    {
        Require.Length(scores.Length, groups.Length, nameof(scores));
        Require.EmptyOrLength(valid.Length, groups.Length, nameof(valid));
        Require.Range(minimumMargin >= 0, minimumMargin, "at least 0");
        Require.Range(mostPerPrompt >= 1, mostPerPrompt, "at least 1");
        Dictionary<int, List<int>> members = [];
        List<List<int>> prompts = [];
        for (int i = 0; i < groups.Length; i++)
        {
            if (!GroupMoments.IsValid(valid, i)) continue;
            if (!members.TryGetValue(groups[i], out List<int>? list))
            {
                members[groups[i]] = list = [];
                prompts.Add(list);
            }

            list.Add(i);
        }

        double[] score = scores.ToArray();
        List<SamplePair> pairs = [];
        foreach (List<int> prompt in prompts)
        {
            int[] sorted = [.. prompt.OrderByDescending(i => score[i]).ThenBy(i => i)];
            for (int k = 0; k < Math.Min(mostPerPrompt, sorted.Length / 2); k++)
            {
                if (score[sorted[k]] - score[sorted[^(k + 1)]] > minimumMargin) pairs.Add(new SamplePair(sorted[k], sorted[^(k + 1)]));
            }
        }

        return pairs;
    }
}

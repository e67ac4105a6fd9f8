using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Scored rollouts as the offline methods read them: which prompt each belongs to, its score, and whether it has one.</summary>
/// <param name="Rows">In file order.</param>
/// <param name="Groups">[rows] number of the prompt: equal prompt tokens have equal numbers.</param>
/// <param name="Scores">[rows] 0 where there is none.</param>
/// <param name="Valid">[rows] true = has a score and at least one response token.</param>
public sealed record ScoredGroups(IReadOnlyList<ScoredRollout> Rows, int[] Groups, double[] Scores, bool[] Valid)
{
    /// <exception cref="ConfigurationException">No file is named.</exception>
    /// <exception cref="BadDataException">A file is missing or no scored file, or no row has a score.</exception>
    public static ScoredGroups Read(IReadOnlyList<string> files)
    {
        if (files.Count == 0) throw new ConfigurationException("data: no file is named; give at least one scored Parquet file (rlhf-score writes them).");
        return Of([.. files.SelectMany(ScoredFile.Read)], string.Join(", ", files));
    }

    /// <param name="rows">At least one with a score.</param>
    /// <param name="name">Of the data, for messages.</param>
    public static ScoredGroups Of(IReadOnlyList<ScoredRollout> rows, string name)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] groups = new int[rows.Count];
        for (int i = 0; i < rows.Count; i++)
        {
            string key = string.Join(' ', rows[i].Rollout.PromptTokens);
            if (!numbers.TryGetValue(key, out groups[i])) numbers.Add(key, groups[i] = numbers.Count);
        }

        bool[] valid = [.. rows.Select(r => r.Scores.Score is not null && r.Rollout.PromptTokens.Length > 0 && r.Rollout.ResponseTokens.Length > 0)];
        if (!valid.Any(v => v)) throw new BadDataException($"{name}: none of the {rows.Count:N0} rows has a score and tokens. Run rlhf-score with a reward model or a rule first.");
        return new ScoredGroups(rows, groups, [.. rows.Select(r => r.Scores.Score ?? 0)], valid);
    }
}

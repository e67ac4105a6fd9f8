namespace Rlhf.Trajectories;

/// <summary>The name that somebody probably meant.</summary>
internal static class NearestName
{
    /// <summary>The candidate with the smallest edit distance (case ignored), or null when none is near.</summary>
    public static string? Of(string wanted, IReadOnlyList<string> candidates)
    {
        string? best = null;
        int bestDistance = Math.Max(2, wanted.Length / 3) + 1;
        foreach (string candidate in candidates)
        {
            int distance = Distance(wanted.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance >= bestDistance) continue;
            best = candidate;
            bestDistance = distance;
        }

        return best;
    }

    // Levenshtein, one row of the table at a time.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[b.Length];
    }
}

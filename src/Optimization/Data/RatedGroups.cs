using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>A text with the score that somebody gave it.</summary>
/// <param name="Prompt">What it answers; empty: nothing.</param>
/// <param name="Text">The text.</param>
/// <param name="Score">Higher is better.</param>
public readonly record struct RatedText(string Prompt, string Text, double Score);

/// <summary>Comparisons out of ratings: texts of one prompt (or of none) whose scores all differ, best first.</summary>
public static class RatedGroups
{
    /// <summary>
    /// Cuts texts into groups of K different scores. Every text is in at most one group; texts are taken in a seeded order, each into the first
    /// unfinished group of its prompt that has no such score yet. What is left at the end is dropped.
    /// </summary>
    /// <param name="texts">All texts.</param>
    /// <param name="size">K, at least 2.</param>
    /// <param name="seed">Of the order.</param>
    /// <returns>Groups, each best first, in the order in which they became full.</returns>
    public static List<RatedText[]> Of(IReadOnlyList<RatedText> texts, int size, ulong seed)
    {
        var groups = new List<RatedText[]>();
        var open = new Dictionary<string, List<List<RatedText>>>(StringComparer.Ordinal);
        foreach (int i in AddressedRandom.Permutation(texts.Count, seed, 0x6A7E))
        {
            RatedText text = texts[i];
            if (!open.TryGetValue(text.Prompt, out List<List<RatedText>>? waiting)) open[text.Prompt] = waiting = [];
            List<RatedText>? group = waiting.Find(g => g.TrueForAll(t => t.Score != text.Score));
            if (group is null) waiting.Add(group = []);
            group.Add(text);
            if (group.Count < size) continue;
            waiting.Remove(group);
            groups.Add([.. group.OrderByDescending(t => t.Score)]);
        }

        return groups;
    }
}

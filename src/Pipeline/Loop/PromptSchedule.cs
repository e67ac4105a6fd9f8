using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// Which prompts an iteration gets: a seeded permutation of the file for each pass over it, taken in order, going on from iteration to
/// iteration. A pure function of the iteration, so a resumed run needs no position.
/// </summary>
public sealed class PromptSchedule(IReadOnlyList<Prompt> prompts, int perIteration, ulong seed)
{
    /// <summary>The prompts of an iteration, from 1. One prompt never comes twice in an iteration unless the file is shorter than it.</summary>
    public List<Prompt> Of(int iteration)
    {
        var taken = new List<Prompt>(perIteration);
        long first = (long)(iteration - 1) * perIteration;
        int pass = -1;
        int[] order = [];
        for (long n = first; n < first + perIteration; n++)
        {
            if ((int)(n / prompts.Count) != pass) order = AddressedRandom.Permutation(prompts.Count, seed, (uint)(pass = (int)(n / prompts.Count)), 0x9801);
            taken.Add(Again(prompts[order[(int)(n % prompts.Count)]], taken));
        }

        return taken;
    }

    /// <summary>Further prompts of an iteration, those it does not have yet first: a permutation of their own for each round.</summary>
    public List<Prompt> More(int iteration, int round, int count, IReadOnlyList<Prompt> taken)
    {
        var ids = taken.Select(p => p.Id).ToHashSet(StringComparer.Ordinal);
        Prompt[] order = [.. AddressedRandom.Permutation(prompts.Count, seed, (uint)iteration, 0x9900u + (uint)round).Select(i => prompts[i]).OrderBy(p => ids.Contains(p.Id))];
        var all = new List<Prompt>(taken);
        for (int n = 0; n < count; n++) all.Add(Again(order[n % order.Length], all));
        return all[taken.Count..];
    }

    // The id is part of a sample's random address: a prompt that comes again in one iteration needs another.
    private static Prompt Again(Prompt prompt, List<Prompt> taken)
    {
        int times = taken.Count(p => ReferenceEquals(p.Text, prompt.Text) && (p.Id == prompt.Id || p.Id.StartsWith(prompt.Id + "#", StringComparison.Ordinal)));
        return times == 0 ? prompt : prompt with { Id = $"{prompt.Id}#{times}" };
    }

    /// <summary>Writes the prompts as a file that <c>rlhf-generate</c> reads, so that an iteration can be drawn again by hand.</summary>
    public static void Write(string path, IReadOnlyList<Prompt> prompts)
    {
        var lines = new System.Text.StringBuilder();
        foreach (Prompt prompt in prompts)
        {
            lines.Append("{\"prompt_id\": ").Append(JsonSerializer.Serialize(prompt.Id)).Append(", \"prompt\": ").Append(JsonSerializer.Serialize(prompt.Text));
            if (prompt.Metadata is { Length: > 2 } metadata) lines.Append(", ").Append(metadata.Trim()[1..^1]);
            lines.Append("}\n");
        }

        WholeFile.WriteAllText(path, lines.ToString());
    }
}

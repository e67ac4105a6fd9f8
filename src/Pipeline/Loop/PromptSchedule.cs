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
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        long first = (long)(iteration - 1) * perIteration;
        int pass = -1;
        int[] order = [];
        for (long n = first; n < first + perIteration; n++)
        {
            if ((int)(n / prompts.Count) != pass) order = AddressedRandom.Permutation(prompts.Count, seed, (uint)(pass = (int)(n / prompts.Count)), 0x9801);
            Prompt prompt = prompts[order[(int)(n % prompts.Count)]];
            // The id is part of a sample's random address: a prompt that comes again in one iteration needs another.
            int times = seen.GetValueOrDefault(prompt.Id);
            seen[prompt.Id] = times + 1;
            taken.Add(times == 0 ? prompt : prompt with { Id = $"{prompt.Id}#{times}" });
        }

        return taken;
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

using System.CommandLine;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize rankings</c>: comparisons out of ratings, as rankings and as the pairs of the same rankings.</summary>
public static class RankingsCommand
{
    public static Command Create()
    {
        var input = new Option<string[]>("--in") { Description = "Rated texts: Parquet, JSONL, CSV; repeatable.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
        var output = new Option<string>("--out") { Description = "Folder for rankings.*.jsonl and pairs.*.jsonl.", HelpName = "DIR", Required = true };
        var text = new Option<string>("--text-column") { Description = "Column of the texts.", HelpName = "C", DefaultValueFactory = _ => "text" };
        var score = new Option<string>("--score-column") { Description = "Column of the ratings; higher is better.", HelpName = "C", DefaultValueFactory = _ => "rating" };
        var prompt = new Option<string>("--prompt-column") { Description = "Only texts of one prompt are compared; empty: any texts.", HelpName = "C", DefaultValueFactory = _ => "" };
        var size = new Option<int>("--size") { Description = "Texts of one ranking, all of different ratings.", HelpName = "N", DefaultValueFactory = _ => 4 };
        var most = new Option<int>("--max-rankings") { Description = "At most this many; 0: all.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var held = new Option<double>("--held-out-fraction") { Description = "Share of the rankings held out.", HelpName = "SHARE", DefaultValueFactory = _ => 0.1 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of grouping and hold-out.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var command = new Command("rankings", "Makes comparisons from ratings: rankings of K texts with different scores, and the pairs of the same rankings.") { input, output, text, score, prompt, size, most, held, seed };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            int k = parsed.GetValue(size), limit = parsed.GetValue(most);
            double share = parsed.GetValue(held);
            if (k < 2) throw new ConfigurationException($"--size is {k}; a ranking has at least 2 texts.");
            if (limit < 0) throw new ConfigurationException($"--max-rankings is {limit}; it must be at least 0.");
            if (!(share is >= 0 and < 1)) throw new ConfigurationException($"--held-out-fraction is {share}; it must be at least 0 and less than 1.");
            string[] files = parsed.GetValue(input)!;
            ComparisonFiles.RefuseInputs(parsed.GetValue(output)!, files);
            List<RatedText> texts = Read(files, parsed.GetValue(text)!, parsed.GetValue(score)!, parsed.GetValue(prompt)!);
            List<RatedText[]> groups = RatedGroups.Of(texts, k, parsed.GetValue(seed));
            if (groups.Count == 0) throw new BadDataException($"{string.Join(", ", files)}: {texts.Count:N0} texts make no ranking of {k} texts with different scores; use a smaller --size.");
            if (limit > 0 && groups.Count > limit) groups.RemoveRange(limit, groups.Count - limit);
            if (!CommonOptions.Of(parsed).DryRun) Write(parsed.GetValue(output)!, groups, share, parsed.GetValue(seed));
            Console.WriteLine($"{texts.Count:N0} rated texts → {groups.Count:N0} rankings of {k} and {groups.Count * k * (k - 1) / 2:N0} pairs");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static List<RatedText> Read(string[] files, string textColumn, string scoreColumn, string promptColumn)
    {
        var columns = new RewardModelConfig { Objective = RewardObjective.Regression, TextColumn = textColumn, LabelColumn = scoreColumn, PromptColumn = promptColumn };
        var texts = new List<RatedText>();
        var dropped = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (RewardRow row in RewardRows.Read(columns, files, Console.WriteLine))
        {
            if (row.Reason is null) texts.Add(new RatedText(row.Prompt, row.Texts[0], row.Label));
            else dropped[row.Reason] = dropped.GetValueOrDefault(row.Reason) + 1;
        }

        foreach ((string reason, int count) in dropped) Console.WriteLine($"left out {count:N0} rows: {reason}");
        return texts;
    }

    private static void Write(string folder, List<RatedText[]> groups, double heldOut, ulong seed)
    {
        using var files = new ComparisonFiles(folder);
        for (int number = 0; number < groups.Count; number++)
        {
            RatedText[] group = groups[number];
            bool isHeld = AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, 0x6A7F, (uint)number) < heldOut;
            files.Ranking(isHeld, group[0].Prompt, [.. group.Select(t => t.Text)]);
            for (int better = 0; better < group.Length; better++)
            {
                for (int worse = better + 1; worse < group.Length; worse++)
                    files.Pair(isHeld, group[0].Prompt, group[better].Text, group[worse].Text, group[better].Score - group[worse].Score);
            }
        }

        files.Complete();
    }
}

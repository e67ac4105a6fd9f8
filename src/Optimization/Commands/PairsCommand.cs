using System.CommandLine;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize pairs</c>: preference pairs out of scored samples.</summary>
public static class PairsCommand
{
    private static readonly DataColumn[] Columns =
    [
        new("prompt_id", ColumnType.Text), new("prompt", ColumnType.Text), new("chosen", ColumnType.Text), new("rejected", ColumnType.Text),
        new("prompt_tokens", ColumnType.Int32List), new("chosen_tokens", ColumnType.Int32List), new("rejected_tokens", ColumnType.Int32List),
        new("chosen_score", ColumnType.Double), new("rejected_score", ColumnType.Double),
    ];

    public static Command Create()
    {
        var input = new Option<string[]>("--in") { Description = "Scored rollouts, several samples a prompt; repeatable.", HelpName = "FILE.parquet", Required = true, AllowMultipleArgumentsPerToken = true };
        var output = new Option<string>("--out") { Description = "Pairs: texts, tokens and scores of chosen and rejected.", HelpName = "FILE", Required = true };
        var margin = new Option<double>("--min-margin") { Description = "Leave out pairs whose scores differ by no more than this.", HelpName = "X", DefaultValueFactory = _ => 0 };
        var most = new Option<int>("--pairs-per-prompt") { Description = "Best against worst, then second best against second worst, and so on, up to this many.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var command = new Command("pairs", "Makes preference pairs from scored samples: the best against the worst of each prompt.") { input, output, margin, most };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            double least = parsed.GetValue(margin);
            int perPrompt = parsed.GetValue(most);
            if (!(least >= 0)) throw new ConfigurationException($"--min-margin is {least}; it must be at least 0.");
            if (perPrompt < 1) throw new ConfigurationException($"--pairs-per-prompt is {perPrompt}; it must be at least 1.");
            DataFiles.RefuseInput(parsed.GetValue(output)!, parsed.GetValue(input)!);
            ScoredGroups samples = ScoredGroups.Read(parsed.GetValue(input)!);
            List<SamplePair> pairs = PreferencePairs.BestAgainstWorst(samples.Groups, samples.Scores, samples.Valid, least, perPrompt);
            int prompts = samples.Groups.Distinct().Count();
            if (pairs.Count == 0)
            {
                throw new BadDataException(
                    $"{string.Join(", ", parsed.GetValue(input)!)}: {samples.Rows.Count:N0} samples of {prompts:N0} prompts make no pair. A pair needs two samples of one prompt whose scores differ by more "
                    + $"than {least}: draw with --samples-per-prompt 2 or more, or lower --min-margin.");
            }

            if (!CommonOptions.Of(parsed).DryRun) Write(parsed.GetValue(output)!, samples, pairs);
            Console.WriteLine($"{pairs.Count:N0} pairs of {prompts:N0} prompts, mean margin {pairs.Average(p => samples.Scores[p.Chosen] - samples.Scores[p.Rejected]):G4}");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    /// <summary>Writes the pairs; the tokens are those that were sampled, never made from the texts again.</summary>
    public static void Write(string path, ScoredGroups samples, IReadOnlyList<SamplePair> pairs)
    {
        using DataWriter writer = DataWriter.Create(path, Columns);
        foreach (SamplePair pair in pairs)
        {
            Rollout chosen = samples.Rows[pair.Chosen].Rollout, rejected = samples.Rows[pair.Rejected].Rollout;
            int c = 0;
            writer.Set(c++, chosen.PromptId);
            writer.Set(c++, chosen.Prompt);
            writer.Set(c++, chosen.Response);
            writer.Set(c++, rejected.Response);
            writer.Set(c++, chosen.PromptTokens.AsSpan());
            writer.Set(c++, chosen.ResponseTokens.AsSpan());
            writer.Set(c++, rejected.ResponseTokens.AsSpan());
            writer.Set(c++, samples.Scores[pair.Chosen]);
            writer.Set(c, samples.Scores[pair.Rejected]);
            writer.EndRow();
        }

        writer.Complete();
    }
}

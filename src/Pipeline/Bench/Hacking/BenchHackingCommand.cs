using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench hacking</c>: does mending a reward model with what fooled it end the hack?</summary>
public static class BenchHackingCommand
{
    public static Command Create()
    {
        Option<string> folder = new("--out") { Description = "Where runs and reward models go. The same command goes on where it was stopped.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "bench-hacking") };
        Option<int> steps = new("--mend-steps") { Description = "Optimiser steps of mending the reward model.", HelpName = "N", DefaultValueFactory = _ => 80 };
        Option<bool> json = new("--json") { Description = "Print JSON instead of tables." };
        Option<bool> without = new("--without-during") { Description = "Leave out the run whose reward model learns on." };
        Option<string?> write = new("--write") { Description = "Also put the result into this Markdown file, between '<!-- results: hacking -->' and '<!-- end -->'.", HelpName = "FILE" };
        Command command = new("hacking", "PPO on the shipped models pushed too far; the reward model mended with the samples that fooled it; the same run against the mended one, and with a reward model that learns on during the run (configs/hacking-trained.yaml). Needs labelled IMDb reviews.") { folder, steps, without, json, write };
        CommonOptions.AddTo(command, Offered.Set | Offered.DryRun);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            int mend = parsed.GetValue(steps);
            if (mend < 1) throw new ConfigurationException($"--mend-steps is {mend}; it must be at least 1.");
            var bench = new HackingBench(Path.GetFullPath(parsed.GetValue(folder)!), mend, common.Set, !parsed.GetValue(without));
            if (common.DryRun)
            {
                bench.Check();
                foreach (string step in bench.Plan) System.Console.WriteLine(step);
                return Task.FromResult((int)ExitCode.Done);
            }

            HackingResult result = bench.Run(Log.Info, cancellation);
            if (parsed.GetValue(json)) System.Console.WriteLine(result.ToJson());
            else HackingReport.Print(result);
            if (parsed.GetValue(write) is { } document) WholeFile.WriteAllText(document, ResultsPlace.Put(File.ReadAllText(document), document, "hacking", HackingReport.ToMarkdown(result, bench)));
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

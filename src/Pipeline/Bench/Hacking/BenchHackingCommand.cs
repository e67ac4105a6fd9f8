using System.CommandLine;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench hacking</c>: does mending a reward model with what fooled it end the hack?</summary>
public static class BenchHackingCommand
{
    public static Command Create()
    {
        Option<string> folder = new("--out") { Description = "Where runs and reward models go. The same command goes on where it was stopped.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "bench-hacking") };
        Option<int> steps = new("--mend-steps") { Description = "Optimiser steps of mending the reward model.", HelpName = "N", DefaultValueFactory = _ => 100 };
        Option<string?> json = new("--json") { Description = "Write the result to this file too.", HelpName = "FILE" };
        Command command = new("hacking", "PPO on the shipped models pushed too far; the reward model mended with the samples that fooled it; the same run against the mended one, and with a reward model that learns on during the run (configs/hacking-trained.yaml). Needs labelled IMDb reviews.") { folder, steps, json };
        CommonOptions.AddTo(command, withConfig: false);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            int mend = parsed.GetValue(steps);
            if (mend < 1) throw new ConfigurationException($"--mend-steps is {mend}; it must be at least 1.");
            var bench = new HackingBench(Path.GetFullPath(parsed.GetValue(folder)!), mend, common.Set);
            if (common.DryRun)
            {
                System.Console.WriteLine($"would run configs/hacking-trained.yaml three times → {bench.Folder}");
                return Task.FromResult((int)ExitCode.Done);
            }

            HackingResult result = bench.Run(Log.Info, cancellation);
            Print(result);
            if (parsed.GetValue(json) is { } file) result.Save(file);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static void Print(HackingResult r)
    {
        static string N(double x, string format = "0.000") => x.ToString(format, CultureInfo.InvariantCulture);
        var models = new ConsoleTable("reward model", "hacked", "pushed policy", "untrained policy", "good reviews", "bad reviews", "accuracy", "95 %", "calibration error", "s")
        {
            Title = $"mean P(positive); {r.Training} hacked samples for training, {r.HeldOut} of other prompts held out",
        };
        foreach (MendedModel m in r.Models)
            models.Add(m.Name, N(m.Hacked), N(m.HackedElsewhere), N(m.Ordinary), N(m.Positive), N(m.Negative), N(m.Accuracy.Value, "P1"), $"{N(m.Accuracy.Low, "P1")} to {N(m.Accuracy.High, "P1")}", N(m.CalibrationError), N(m.Seconds, "0"));
        models.Print();

        string[] names = [.. r.Models.Select(m => m.Name)];
        var runs = new ConsoleTable(["run", .. names.Select(n => "P by " + n), "KL, nats/token", "distinct-2", "length", "log π_ref/token", "s"]) { Title = "runs pushed too far, on held-out prompts" };
        foreach (PushedRun run in r.Runs)
            runs.Add([run.Name, .. names.Select(n => N(run.By[n])), N(run.KlPerToken), N(run.Distinct2), N(run.Length, "0.0"), N(run.ReferenceLogProb, "0.00"), N(run.Seconds, "0")]);
        runs.Print();

        var iterations = new ConsoleTable(["iteration", "KL, nats/token", .. names]) { Title = "the pushed run: P(positive) of each iteration's responses by each reward model" };
        foreach (PushedIteration i in r.Iterations) iterations.Add([i.Iteration.ToString(CultureInfo.InvariantCulture), N(i.KlPerToken), .. names.Select(n => N(i.By[n]))]);
        iterations.Print();
        foreach (HackedText t in r.Samples)
        {
            System.Console.WriteLine($"{t.Run}: {string.Join(", ", t.By.Select(b => $"{b.Key} {N(b.Value)}"))}");
            System.Console.WriteLine($"  {t.Prompt} → {t.Response.ReplaceLineEndings(" ")}");
        }
    }
}

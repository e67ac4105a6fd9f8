using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.Sampling;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval winrate</c>: a policy against a baseline, judged by reward models and rules.</summary>
public static class EvalWinRate
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public static Command Create()
    {
        var policy = new Option<string>("--policy") { Description = "Policy: ONNX folder, or a Hugging Face folder, which is exported first.", HelpName = "DIR", Required = true };
        var baseline = new Option<string>("--baseline") { Description = "What it is compared with, likewise.", HelpName = "DIR", Required = true };
        var prompts = new Option<string>("--prompts") { Description = "Prompt file.", HelpName = "FILE", Required = true };
        var column = new Option<string>("--prompt-column") { Description = "Its column of prompts.", HelpName = "C", DefaultValueFactory = _ => "prompt" };
        var models = new Option<string[]>("--reward-model") { Description = "Reward model that judges: ONNX or Hugging Face folder; repeatable, the score is the sum.", HelpName = "[NAME=]DIR", DefaultValueFactory = _ => [] };
        var rules = new Option<string[]>("--rule") { Description = "Rule that judges, as of rlhf-score; repeatable.", HelpName = "NAME[:k=v,…]", DefaultValueFactory = _ => [] };
        var responseOnly = new Option<bool>("--response-only") { Description = "Reward models read the response without its prompt." };
        var samples = new Option<int>("--samples-per-prompt") { Description = "Responses of each policy a prompt.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var tokens = new Option<int>("--max-new-tokens") { Description = "Most new tokens of a response.", HelpName = "N", DefaultValueFactory = _ => 64 };
        var temperature = new Option<double>("--temperature") { Description = "Sampling temperature.", HelpName = "T", DefaultValueFactory = _ => 1 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the samples and of the intervals.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var threads = new Option<int>("--threads") { Description = "Threads; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var output = new Option<string>("--out") { Description = "Folder for both policies' scored responses; empty: they are not kept.", HelpName = "DIR", DefaultValueFactory = _ => "" };
        var json = new Option<bool>("--json") { Description = "Print JSON instead of a table." };
        var command = new Command("winrate", "Win rate and mean reward of a policy against a baseline on a prompt file, with 95 % intervals (bootstrap over prompts).")
        {
            policy, baseline, prompts, column, models, rules, responseOnly, samples, tokens, temperature, seed, threads, output, json,
        };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, cancellation) =>
        {
            // Before any model is exported.
            var sampling = new SamplingOptions
            {
                SamplesPerPrompt = parsed.GetValue(samples), MaxNewTokens = parsed.GetValue(tokens), Temperature = parsed.GetValue(temperature), Seed = parsed.GetValue(seed),
            };
            SamplingChecks.Check(sampling);
            if (parsed.GetValue(threads) is < 0 and int negative) throw new ConfigurationException($"--threads is {negative}; it must be a number of threads, or 0 for all cores.");
            if (parsed.GetValue(responseOnly) && parsed.GetValue(models)!.Length == 0) throw new ConfigurationException("--response-only is for reward models, and none is named: give --reward-model DIR, or leave it out.");
            foreach (string what in (string[])["policy", "baseline"])
            {
                if (parsed.GetValue(output) is not { Length: > 0 } there) break;
                DataFiles.RefuseInput(Rollouts(there, what), parsed.GetValue(prompts)!);
                DataFiles.RefuseInput(Scored(there, what), parsed.GetValue(prompts)!);
            }

            var copies = new List<OnnxCopy>();
            bool dryRun = CommonOptions.Of(parsed).DryRun;
            string kept = dryRun ? "" : parsed.GetValue(output)!, folder = kept.Length > 0 ? kept : Directory.CreateTempSubdirectory("rlhf-winrate-").FullName;
            try
            {
                string Onnx(string name)
                {
                    copies.Add(OnnxCopy.Of(name));
                    return copies[^1].Path;
                }

                Directory.CreateDirectory(folder);
                RewardInput reads = parsed.GetValue(responseOnly) ? RewardInput.Response : RewardInput.PromptAndResponse;
                RewardSourceConfig[] rewards =
                [
                    .. parsed.GetValue(models)!.Select(Named).Select(m => new RewardSourceConfig { Model = Onnx(m.Folder), Name = m.Name, Input = reads }),
                    .. parsed.GetValue(rules)!.Select(r => new RewardSourceConfig { Rule = r }),
                ];
                using ScoringStage scoring = new(rewards, "", parsed.GetValue(threads));
                if (dryRun)
                {
                    using (GenerationStage.Open(Onnx(parsed.GetValue(policy)!), threads: parsed.GetValue(threads)))
                    using (GenerationStage.Open(Onnx(parsed.GetValue(baseline)!), threads: parsed.GetValue(threads)))
                    {
                        int count = PromptFile.Read(parsed.GetValue(prompts)!, parsed.GetValue(column)!).Count();
                        System.Console.WriteLine($"would draw and judge {count * parsed.GetValue(samples):N0} responses of each policy{(parsed.GetValue(output) is { Length: > 0 } named ? $" → {named}" : "")}");
                        return Task.FromResult((int)ExitCode.Done);
                    }
                }

                IReadOnlyList<ScoredRollout> Judged(string name, string what)
                {
                    string rollouts = Rollouts(folder, what), scored = Scored(folder, what);
                    using (GenerationStage generation = GenerationStage.Open(Onnx(name), threads: parsed.GetValue(threads)))
                        generation.Run(PromptFile.Read(parsed.GetValue(prompts)!, parsed.GetValue(column)!), sampling, rollouts, null, cancellation);
                    scoring.Run(new ScoringJob { Input = rollouts, Output = scored }, null, cancellation);
                    return [.. ScoredFile.Read(scored)];
                }

                WinRate result = WinRate.Of(Judged(parsed.GetValue(policy)!, "policy"), Judged(parsed.GetValue(baseline)!, "baseline"), parsed.GetValue(seed));
                if (result.Samples == 0) throw new BadDataException($"{parsed.GetValue(prompts)}: no pair of responses has a score on both sides, {result.Excluded:N0} have none; nothing can be compared. Take rewards that apply to these prompts.");
                if (parsed.GetValue(json)) System.Console.WriteLine(JsonSerializer.Serialize(result, Readable));
                else Print(result);
                return Task.FromResult((int)ExitCode.Done);
            }
            finally
            {
                foreach (OnnxCopy copy in copies) copy.Dispose();
                if (kept.Length == 0) Directory.Delete(folder, recursive: true);
            }
        });
        return command;
    }

    /// <summary>[NAME=]DIR; the name is the folder's unless given.</summary>
    private static (string Name, string Folder) Named(string argument) => argument.IndexOf('=', StringComparison.Ordinal) is > 0 and int equals
        ? (argument[..equals], argument[(equals + 1)..])
        : (Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(argument))), argument);

    private static string Rollouts(string folder, string what) => Path.Combine(folder, what + ".rollouts.parquet");

    private static string Scored(string folder, string what) => Path.Combine(folder, what + ".scored.parquet");

    private static void Print(WinRate r)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        var table = new ConsoleTable("measured", "value", "95 % interval") { Title = string.Create(c, $"{r.Prompts:N0} prompts, {r.Samples:N0} pairs of responses{(r.Excluded > 0 ? $", {r.Excluded:N0} left out without a score" : "")}") };
        void Row(string name, Estimate e, string format) => table.Add(name, e.Value.ToString(format, c), $"{e.Low.ToString(format, c)} to {e.High.ToString(format, c)}");
        Row("win rate (a tie counts half)", r.Win, "P1");
        table.Add("ties", r.Ties.ToString("P1", c), "");
        Row("mean reward, policy", r.Policy, "F4");
        Row("mean reward, baseline", r.Baseline, "F4");
        Row("difference", r.Difference, "F4");
        table.Add("mean tokens, policy / baseline", string.Create(c, $"{r.PolicyLength:F1} / {r.BaselineLength:F1}"), "");
        table.Print();
    }
}

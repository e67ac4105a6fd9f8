using System.CommandLine;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary><c>rlhf-score</c>: rewards and reference log-probs for rollouts or any data set.</summary>
public static class ScoreCommand
{
    /// <summary>As of <see cref="RewardSourceConfig.Weight"/>.</summary>
    private const double LargestWeight = 1e6;

    public static RootCommand Create()
    {
        var input = new Option<string>("--in") { Description = "Rows to score: Parquet, JSONL or CSV; a file or a quoted pattern.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--out") { Description = "Where the rows go, with every input column kept and rewards, score and, where they are computed, token_rewards and reference_logprobs added.", HelpName = "FILE.parquet", Required = true };
        var models = new Option<string[]>("--reward-model") { Description = "ONNX reward-model folder; repeatable. NAME=DIR names its column, DIR@W weighs it. An ensemble is mean(DIR,DIR), min(DIR,DIR) or mean-std*0.5(DIR,DIR).", HelpName = "DIR", DefaultValueFactory = _ => [] };
        var rules = new Option<string[]>("--rule")
        {
            Description = "Rule reward, NAME[:k=v,…]; repeatable; NAME@W:… weighs it. " + string.Join("; ", RuleCatalogue.Rules.Values.Select(r => r.Help)),
            HelpName = "NAME[:k=v,…]",
            DefaultValueFactory = _ => [],
        };
        var reference = new Option<string>("--reference") { Description = "Policy ONNX folder whose log-probs of the responses are added.", HelpName = "DIR", DefaultValueFactory = _ => "" };
        var prompt = new Option<string>("--prompt-column") { Description = "Column of prompts; may be missing when not named.", HelpName = "C", DefaultValueFactory = _ => "prompt" };
        var response = new Option<string>("--response-column") { Description = "Column of the texts to judge.", HelpName = "C", DefaultValueFactory = _ => "response" };
        var score = new Option<string>("--score-column") { Description = "Name of the weighted sum in the output, for inputs that have a score of their own.", HelpName = "C", DefaultValueFactory = _ => new ScoreColumns().ScoreName };
        var rewardsName = new Option<string>("--rewards-column") { Description = "Name of the map of rewards in the output, likewise.", HelpName = "C", DefaultValueFactory = _ => new ScoreColumns().RewardsName };
        var tokens = new Option<int>("--batch-tokens") { Description = "Most tokens of one batch, padding included.", HelpName = "N", DefaultValueFactory = _ => 1024 };
        var threads = new Option<int>("--threads") { Description = "Threads of ONNX Runtime; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var outside = new OutsideRewardOptions();
        var windowRows = new Option<int>("--window-rows") { Description = "Rows sorted by length together; a stopped run goes on after the last finished window.", HelpName = "N", DefaultValueFactory = _ => ScoringStage.WindowRows };
        var shard = new Option<string>("--shard") { Description = "Scores and writes only part i of n (i from 0): contiguous, disjoint, together the whole. For array jobs; give each part an output of its own.", HelpName = "i/n" };
        var transform = new Option<string>("--transform") { Description = "What is done to a reward model's output: none, sigmoid (P of a binary model), log_sigmoid.", DefaultValueFactory = _ => "none" };
        transform.AcceptOnlyFromAmong("none", "sigmoid", "log_sigmoid");
        var responseOnly = new Option<bool>("--response-only") { Description = "Reward models read the response without its prompt." };

        var maxLength = new Option<int>("--max-length") { Description = "Reward models read the last N tokens of a longer text; 0: as in their training.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var per = new Option<RewardPer>("--per") { Description = "What reward models give a reward to: sequence (unless said otherwise), token (token_rewards, one for each response token) or step (one at each step's last token; in tables without token ids, one for each step).", HelpName = "sequence|token|step" };
        var delimiter = new Option<string>("--step-delimiter") { Description = "The text that a step ends with, once or several times; \\n is a line's end.", HelpName = "TEXT", DefaultValueFactory = _ => "\\n" };

        var command = new RootCommand("Scores rollouts or any data set with reward models and rules, and adds reference log-probs.")
        {
            input, output, models, rules, reference, prompt, response, tokens, threads, responseOnly, maxLength, transform, per, delimiter,
            windowRows, shard, score, rewardsName,
        };
        outside.AddTo(command);
        CommonOptions.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            var rewards = new List<RewardSourceConfig>();
            RewardInput reads = parsed.GetValue(responseOnly) ? RewardInput.Response : RewardInput.PromptAndResponse;
            rewards.AddRange(parsed.GetValue(models)!.Select(m => Model(m, reads) with
            {
                Transform = parsed.GetValue(transform)!, MaxLength = parsed.GetValue(maxLength), Per = parsed.GetValue(per), StepDelimiter = parsed.GetValue(delimiter)!.Replace("\\n", "\n", StringComparison.Ordinal),
            }));
            rewards.AddRange(parsed.GetValue(rules)!.Select(Rule));
            foreach (Option option in (Option[])[transform, responseOnly, maxLength, per, delimiter])
            {
                if (parsed.GetValue(models)!.Length == 0 && IsGiven(parsed, option)) throw new ConfigurationException($"{option.Name} is for reward models, and none is named: give --reward-model DIR, or leave it out. (The rewards of a --config have such settings of their own.)");
            }

            if (IsGiven(parsed, delimiter) && parsed.GetValue(per) != RewardPer.Step) throw new ConfigurationException($"{delimiter.Name} is for --per step; give both, or leave it out.");
            int budget = parsed.GetValue(tokens), threadCount = parsed.GetValue(threads);
            if (common.Config is not null || common.Set.Count > 0)
            {
                RunConfig run = common.Load<RunConfig>();
                if (rewards.Count == 0) rewards.AddRange(run.Scoring.Rewards);
                if (!IsGiven(parsed, tokens)) budget = run.Scoring.BatchTokens;
                if (!IsGiven(parsed, threads)) threadCount = run.Threads;
            }

            if (parsed.GetValue(windowRows) < 1) throw new ConfigurationException($"--window-rows is {parsed.GetValue(windowRows)}; it must be at least 1.");
            if (parsed.GetValue(maxLength) is < 0 and int negative) throw new ConfigurationException($"--max-length is {negative}; it must be a number of tokens, or 0 for that of the model's training.");
            if (threadCount < 0) throw new ConfigurationException($"--threads is {threadCount}; it must be a number of threads, or 0 for all cores.");
            if (budget < 16) throw new ConfigurationException($"--batch-tokens is {budget}; it must be at least 16.");
            var job = new ScoringJob
            {
                Input = parsed.GetValue(input)!, Output = parsed.GetValue(output)!,
                PromptColumn = parsed.GetValue(prompt)!, ResponseColumn = parsed.GetValue(response)!, ScoreColumn = NewName(score, parsed), RewardsColumn = NewName(rewardsName, parsed), BatchTokens = budget,
                WindowRows = parsed.GetValue(windowRows), Shard = parsed.GetValue(shard) is { } named ? Shard.Parse(named) : null,
            };
            if (job.ScoreColumn.Equals(job.RewardsColumn, StringComparison.OrdinalIgnoreCase))
                throw new ConfigurationException($"--score-column and --rewards-column are both '{job.ScoreColumn}'; give two names.");
            using var stage = new ScoringStage(rewards, parsed.GetValue(reference)!, threadCount, outside.Of(parsed));
            if (common.DryRun) System.Console.WriteLine($"would score {stage.Check(job):N0} rows of {job.Input} into {job.Output} with {stage.What}");
            else Run(stage, job, cancellation);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static void Run(ScoringStage stage, ScoringJob job, CancellationToken cancellation)
    {
        long total = Count(job.Input);
        if (job.Shard is { } shard) total = shard.Range(total).Count;
        ScoringSummary summary;
        using (var told = new ScoringReport(total)) summary = stage.Run(job, p => told.Tell(p, stage.TokensScored), cancellation);

        var table = new ConsoleTable("reward", "mean") { Title = $"{summary.Rows:N0} rows → {job.Output}" };
        foreach ((string name, double mean) in summary.Means) table.Add(name, mean.ToString("0.0000", CultureInfo.InvariantCulture));
        if (summary.Means.Count > 0) table.Add("score", summary.MeanScore.ToString("0.0000", CultureInfo.InvariantCulture));
        table.Print();
        if (summary.Excluded > 0) Log.Warning($"{summary.Excluded:N0} of {summary.Rows:N0} rows have no score: a reward did not apply to them.");
    }

    // The other added columns are per token and keep their names.
    private static string NewName(Option<string> option, ParseResult parsed) => parsed.GetValue(option) is { } name && !string.IsNullOrWhiteSpace(name) && name is not ("token_rewards" or "reference_logprobs")
        ? name
        : throw new ConfigurationException($"{option.Name} is '{parsed.GetValue(option)}'; give the name of a column that holds no rewards or log-probs per token.");

    private static long Count(string input)
    {
        using DataReader reader = DataReader.Open(input);
        return reader.CountRows();
    }

    /// <summary>[NAME=]DIR[@WEIGHT]</summary>
    private static RewardSourceConfig Model(string text, RewardInput reads)
    {
        (string rest, double weight) = Weight(text);
        int equals = rest.IndexOf('=', StringComparison.Ordinal);
        return new RewardSourceConfig { Name = equals > 0 ? rest[..equals] : "", Model = equals > 0 ? rest[(equals + 1)..] : rest, Weight = weight, Input = reads };
    }

    /// <summary>NAME[@WEIGHT][:k=v,…]</summary>
    private static RewardSourceConfig Rule(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        (string name, double weight) = Weight(colon < 0 ? text : text[..colon]);
        return new RewardSourceConfig { Rule = colon < 0 ? name : name + text[colon..], Weight = weight };
    }

    internal static (string Text, double Factor) Weight(string text)
    {
        int at = text.LastIndexOf('@');
        if (at <= 0 || !double.TryParse(text[(at + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double weight)) return (text, 1);
        return Math.Abs(weight) <= LargestWeight ? (text[..at], weight) : throw new ConfigurationException($"The weight in '{text}' is {text[(at + 1)..]}; it must be a number between -1e6 and 1e6.");
    }

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };
}

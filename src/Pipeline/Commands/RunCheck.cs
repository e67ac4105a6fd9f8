using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What can be told of a run before its directory exists.</summary>
internal static class RunCheck
{
    /// <summary>What the configuration asks for and cannot be, all at once; opens nothing.</summary>
    /// <exception cref="ConfigurationException">All problems.</exception>
    public static void Configuration(RunConfig config, IReadOnlyList<OutsideReward>? outside)
    {
        var problems = new List<string>();
        if (config.Scoring.Rewards.Count == 0 && outside is not { Count: > 0 }) problems.Add("scoring.rewards is empty; give at least one model or rule, or name a reward from outside (--reward-program, --reward-url, --reward-assembly).");
        if (config.Policy.Length > 0 && !Directory.Exists(config.Policy)) problems.Add($"policy: there is no folder {config.Policy}.");
        if (config.Reference.Length > 0 && !Directory.Exists(config.Reference)) problems.Add($"reference: there is no folder {config.Reference}.");
        foreach (RewardSourceConfig reward in config.Scoring.Rewards)
        {
            if (reward.Per != RewardPer.Sequence && !config.Method.TokenRewards)
                problems.Add($"scoring.rewards: '{(reward.Name.Length > 0 ? reward.Name : reward.Model)}' gives a reward per {reward.Per.ToString().ToLowerInvariant()}, which the method does not read. Set token_rewards: true in the method's section.");
            if (reward.Model.Length > 0 && !Directory.Exists(reward.Model)) problems.Add($"scoring.rewards: there is no folder {reward.Model}.");
        }

        problems.AddRange(RewardTrainingCheck.Problems(config));
        if (problems.Count > 0) throw new ConfigurationException(problems);
    }

    /// <summary>For --dry-run: shows the configuration, opens everything that the run would open, and says what it would do. Nothing is written.</summary>
    /// <exception cref="RlhfException">What the run would refuse before its first iteration.</exception>
    public static void Tell(RunConfig config, IReadOnlyList<OutsideReward>? outside = null)
    {
        System.Console.Write(ConfigWriter.ToYaml(config));
        Configuration(config, outside);
        RunDirectory.RequireNoRun(config.Output);
        _ = Manifest.Inputs(config, outside); // files of rules and pretraining text too
        long prompts = PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn).LongCount();
        if (config.Evaluation.Prompts.Length > 0) _ = PromptFile.Read(config.Evaluation.Prompts, config.Generation.PromptColumn).Count();
        using (PolicySession.Open(config, null))
        {
            // Policy, critic, reference of the loss and pretraining text can be read.
        }

        List<OnnxCopy> copies = [];
        try
        {
            string Onnx(string folder)
            {
                copies.Add(OnnxCopy.Of(folder));
                return copies[^1].Path;
            }

            RewardSourceConfig[] rewards = [.. config.Scoring.Rewards.Select(r => r.Model.Length == 0 ? r : r with { Name = r.ColumnName, Model = Onnx(r.Model) })];
            using ScoringStage scoring = new(rewards, config.Reference.Length > 0 ? Onnx(config.Reference) : "", config.Threads, outside);
        }
        finally
        {
            copies.ForEach(c => c.Dispose());
        }

        int responses = config.Generation.PromptsPerIteration * config.Generation.SamplesPerPrompt;
        System.Console.WriteLine($"# would run {config.Iterations} iterations of {responses} responses to {prompts:N0} prompts → {config.Output}");
    }
}

using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf run CONFIG</c> and <c>rlhf resume RUN_DIR</c>.</summary>
public static class RunCommand
{
    public static Command CreateRun()
    {
        var config = new Argument<string>("CONFIG") { Description = "The run's configuration (YAML)." };
        var command = new Command("run", "Runs generate → score → optimize for the configured number of iterations.") { config };
        CommonOptions.AddTo(command, withConfig: false);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            RunConfig run = ConfigBinder.Load<RunConfig>(parsed.GetValue(config)!, common.Set);
            if (common.DryRun) System.Console.Write(ConfigWriter.ToYaml(run));
            else Begin(run, cancellation).Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    public static Command CreateResume()
    {
        var folder = new Argument<string>("RUN_DIR") { Description = "The run directory." };
        var command = new Command("resume", "Goes on where a run stopped, with the same bytes as if it had not.") { folder };
        CommonOptions.AddTo(command, withConfig: false);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            using RunDirectory directory = RunDirectory.OpenForWriting(parsed.GetValue(folder)!);
            RunConfig config = WithOverrides(directory, common.Set);
            using RunLoop loop = RunLoop.Resume(config, directory);
            System.Console.WriteLine($"resuming after iteration {loop.Finished} of {config.Iterations}");
            if (!common.DryRun) loop.Run(cancellation).Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    /// <summary>Makes the run directory and runs the loop.</summary>
    public static RunOutcome Begin(RunConfig config, CancellationToken cancellation)
    {
        Check(config);
        using RunDirectory directory = RunDirectory.Create(config.Output, config, Manifest.Of(config));
        using RunLoop loop = RunLoop.Begin(config, directory);
        return loop.Run(cancellation);
    }

    // Problems that can be told before the run directory exists.
    private static void Check(RunConfig config)
    {
        var problems = new List<string>();
        if (config.Scoring.Rewards.Count == 0) problems.Add("scoring.rewards is empty; give at least one model or rule.");
        if (config.Policy.Length > 0 && !Directory.Exists(config.Policy)) problems.Add($"policy: there is no folder {config.Policy}.");
        foreach (RewardSourceConfig reward in config.Scoring.Rewards)
        {
            if (reward.Model.Length > 0 && !Directory.Exists(reward.Model)) problems.Add($"scoring.rewards: there is no folder {reward.Model}.");
        }

        if (problems.Count > 0) throw new ConfigurationException(problems);
    }

    private static RunConfig WithOverrides(RunDirectory directory, IReadOnlyList<string> set)
    {
        RunConfig stored = directory.ReadConfig<RunConfig>();
        if (set.Count == 0) return stored;
        RunConfig wanted = ConfigBinder.Load<RunConfig>(directory.ConfigPath, set);
        string[] unsafeChanges = [.. ConfigDifference.Between(stored, wanted).Where(d => !d.IsSafeToChange).Select(d => $"{d.Key} was {d.Left} and would become {d.Right}; it cannot change within a run. Begin a new run.")];
        return unsafeChanges.Length == 0 ? wanted : throw new ConfigurationException(unsafeChanges);
    }
}

using System.CommandLine;
using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf run CONFIG</c> and <c>rlhf resume RUN_DIR</c>.</summary>
public static class RunCommand
{
    public static Command CreateRun()
    {
        var config = new Argument<string>("CONFIG") { Description = "The run's configuration (YAML)." };
        var command = new Command("run", "Runs generate → score → optimize for the configured number of iterations.") { config };
        CommonOptions.AddTo(command, Offered.Set | Offered.DryRun);
        var rewards = new OutsideRewardOptions();
        rewards.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            RunConfig run = ConfigBinder.Load<RunConfig>(parsed.GetValue(config)!, common.Set);
            IReadOnlyList<OutsideReward> outside = rewards.Of(parsed);
            if (common.DryRun) RunCheck.Tell(run, outside);
            else Begin(run, cancellation, outside).Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    public static Command CreateResume()
    {
        var folder = new Argument<string>("RUN_DIR") { Description = "The run directory." };
        var restart = new Option<bool>("--restart") { Description = "Where every checkpoint is damaged: make all iterations again instead of stopping." };
        var command = new Command("resume", "Goes on where a run stopped, with the same bytes as if it had not. --set takes values that may change within a run, such as keep_checkpoints; they hold for later resumes too.") { folder, restart };
        CommonOptions.AddTo(command);
        var rewards = new OutsideRewardOptions();
        rewards.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            using RunDirectory directory = common.DryRun ? RunDirectory.OpenForReading(parsed.GetValue(folder)!) : RunDirectory.OpenForWriting(parsed.GetValue(folder)!);
            RunManifest manifest = directory.ReadManifest();
            directory.CheckConfig();
            IReadOnlyList<OutsideReward> outside = rewards.Of(parsed);
            OutsideRewards.Check(manifest, outside, OutsideRewards.ResumeCommand(parsed.GetValue(folder)!, []));
            RunConfig config = Replay.SameThreads(WithOverrides(directory, common), manifest);
            if (Replay.Changes(manifest) is { Count: > 0 } changes) Log.Warning($"this is not as it was when the run began: {string.Join("; ", changes)}. The run goes on, but its bytes may differ from those of an uninterrupted one.");
            if (common.DryRun)
            {
                ResumePoint.CheckInputs(config, manifest, outside);
                System.Console.WriteLine($"would resume after iteration {ResumePoint.Find(directory, config, parsed.GetValue(restart)).Iteration} of {config.Iterations}");
                return Task.FromResult((int)ExitCode.Done);
            }

            using RunLoop loop = RunLoop.Resume(config, directory, parsed.GetValue(restart), outside);
            System.Console.WriteLine($"resuming after iteration {loop.Finished} of {config.Iterations}");
            loop.Run(cancellation).Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    /// <summary>Makes the run directory and runs the loop.</summary>
    /// <param name="config">Of the run.</param>
    /// <param name="cancellation">Stops it at the next safe point.</param>
    /// <param name="outside">Rewards from outside, as the command line named them.</param>
    public static RunOutcome Begin(RunConfig config, CancellationToken cancellation, IReadOnlyList<OutsideReward>? outside = null)
    {
        RunCheck.Configuration(config, outside);
        config = WithFullPaths(config);
        using RunDirectory directory = RunDirectory.Create(config.Output, config, Manifest.Of(config, outside));
        RunLoop loop;
        try
        {
            loop = RunLoop.Begin(config, directory, outside);
        }
        catch (Exception error) when (error is RlhfException || FileErrors.IsFileError(error))
        {
            directory.Abandon(); // a model or a prompt file that cannot be used, a full disk: nothing was begun
            throw;
        }

        using (loop) return loop.Run(cancellation);
    }

    // Other paths are full since the configuration was read; those within rules are not told apart there.
    private static RunConfig WithFullPaths(RunConfig config) => config with
    {
        Scoring = config.Scoring with { Rewards = [.. config.Scoring.Rewards.Select(r => r.Rule.Length == 0 ? r : r with { Rule = RuleCatalogue.WithFullPaths(r.Rule) })] },
    };

    /// <summary>The configuration as it was last, or the one of --config and --set where it differs only in what may change within a run.</summary>
    private static RunConfig WithOverrides(RunDirectory directory, CommonOptions common)
    {
        RunConfig stored = directory.ReadConfig<RunConfig>();
        if (common.Config is null && common.Set.Count == 0) return stored;
        RunConfig wanted = common.Config is { } file
            // The directory is named on the command line; where the file says it lies does not matter.
            ? WithFullPaths(ConfigBinder.Load<RunConfig>(file, common.Set) with { Output = stored.Output })
            : ConfigBinder.Load<RunConfig>(directory.ConfigPath, [.. directory.ReadManifest().Changes.SelectMany(c => c.Set), .. common.Set]);
        string[] unsafeChanges = [.. ConfigDifference.Between(stored, wanted).Where(d => !d.IsSafeToChange).Select(d => $"{d.Key} was {d.Left ?? "absent"} and would become {d.Right ?? "absent"}; it cannot change within a run. Begin a new run.")];
        return unsafeChanges.Length == 0 ? wanted : throw new ConfigurationException(unsafeChanges);
    }
}

using System.CommandLine;
using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf replay RUN_DIR --iteration K</c>: makes an iteration again and compares it byte for byte.</summary>
public static class ReplayCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("RUN_DIR") { Description = "The run directory; it is only read." };
        var iteration = new Option<int>("--iteration") { Description = "The iteration, from 1.", HelpName = "K", Required = true };
        var keep = new Option<string?>("--out") { Description = "Keep what was made again in this new or empty folder; without it, it is removed.", HelpName = "DIR" };
        var command = new Command("replay", "Draws, scores and (where its checkpoint was kept) trains an iteration again, and compares the files byte for byte.") { folder, iteration, keep };
        CommonOptions.AddTo(command, Offered.DryRun);
        var rewards = new OutsideRewardOptions();
        rewards.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            using RunDirectory run = RunDirectory.OpenForReading(parsed.GetValue(folder)!);
            int k = parsed.GetValue(iteration);
            IReadOnlyList<OutsideReward> outside = rewards.Of(parsed);
            OutsideRewards.Check(run.ReadManifest(), outside, $"./rlhf replay {parsed.GetValue(folder)} --iteration {k}");
            if (parsed.GetValue(keep) is { } place) Replay.CheckOutput(run, Path.GetFullPath(place));
            if (CommonOptions.Of(parsed).DryRun)
            {
                Replay.Check(run, run.ReadConfig<RunConfig>(), k, outside);
                System.Console.WriteLine($"would make iteration {k} of {run.Root} again");
                return Task.FromResult((int)ExitCode.Done);
            }

            string output = parsed.GetValue(keep) is { } named ? Path.GetFullPath(named) : Directory.CreateTempSubdirectory("rlhf-replay-").FullName;
            try
            {
                IReadOnlyList<ReplayedItem> items = Replay.Run(run, k, output, outside, cancellation);
                var table = new ConsoleTable("item", "again");
                foreach (ReplayedItem item in items) table.Add(item.Name, item.State);
                table.Print();
                if (items.Any(i => i.Differs)) throw new NumericalException($"iteration {k} of {run.Root} could not be made again byte for byte. {Replay.Explain(run.ReadManifest())}");
                return Task.FromResult((int)ExitCode.Done);
            }
            finally
            {
                if (parsed.GetValue(keep) is null) Directory.Delete(output, recursive: true);
            }
        });
        return command;
    }
}

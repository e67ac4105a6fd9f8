using System.CommandLine;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize ppo</c>: one iteration of PPO on a scored file, as the loop does it.</summary>
public static class PolicyCommand
{
    public static Command Create()
    {
        var input = new Option<string>("--in") { Description = "Scored rollouts with reference log-probs.", HelpName = "FILE.parquet", Required = true };
        var from = new Option<string?>("--checkpoint") { Description = "Checkpoint folder to go on from; without it, the configured policy.", HelpName = "DIR" };
        var trajectories = new Option<string>("--trajectories") { Description = "Where rows with old_logprobs, values, advantages and returns go.", HelpName = "FILE.parquet", Required = true };
        var checkpoint = new Option<string>("--checkpoint-out") { Description = "Where the new checkpoint goes.", HelpName = "DIR", Required = true };
        var policy = new Option<string>("--policy-out") { Description = "Where the updated policy's ONNX folder goes.", HelpName = "DIR", Required = true };
        var command = new Command("ppo", "One iteration of PPO on scored responses; exports the updated policy.") { input, from, trajectories, checkpoint, policy };
        CommonOptions.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            RunConfig run = common.Load<RunConfig>();
            string file = parsed.GetValue(input)!;
            List<ScoredRollout> rows = [.. ScoredFile.Read(file)];
            using PolicySession session = PolicySession.Open(run, parsed.GetValue(from));
            if (common.DryRun)
            {
                TrajectoryRows.ToBatch(rows, session.Policy.Config);
                Console.WriteLine($"would train iteration {session.State.Iteration + 1} on {rows.Count:N0} responses");
                return Task.FromResult((int)ExitCode.Done);
            }

            PolicyMetrics metrics;
            using (var bar = new ProgressReport("optimizing", PolicySession.PlannedSteps(run, rows.Count), "steps"))
            {
                metrics = session.Iterate(file, rows, parsed.GetValue(trajectories)!, (_, _) => bar.Advance(), cancellation);
            }

            ExportedPolicy exported = session.ExportPolicy(parsed.GetValue(policy)!);
            session.SaveCheckpoint(parsed.GetValue(checkpoint)!);
            var table = new ConsoleTable("metric", "value") { Title = $"iteration {session.State.Iteration}: {rows.Count:N0} responses" };
            foreach ((string name, double value) in metrics.ToDictionary().Concat(exported.ToDictionary())) table.Add(name, value.ToString("G5", System.Globalization.CultureInfo.InvariantCulture));
            table.Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

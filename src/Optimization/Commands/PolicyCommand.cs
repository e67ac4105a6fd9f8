using System.CommandLine;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>
/// <c>rlhf-optimize policy</c>: one iteration of the configured online method on a scored file, as the loop does it. Each method's name is a command too
/// (<c>rlhf-optimize ppo</c>, <c>rlhf-optimize grpo</c>, …) and then chooses the method.
/// </summary>
public static class PolicyCommand
{
    /// <summary><c>policy</c> and one command a method.</summary>
    public static IEnumerable<Command> CreateAll() => [Create(null), .. Enum.GetValues<MethodName>().Select(m => Create(m))];

    /// <param name="method">The method, or null: the configuration's.</param>
    public static Command Create(MethodName? method)
    {
        var input = new Option<string>("--in") { Description = "Scored rollouts with reference log-probs.", HelpName = "FILE.parquet", Required = true };
        var from = new Option<string?>("--checkpoint") { Description = "Checkpoint folder to go on from; without it, the configured policy.", HelpName = "DIR" };
        var trajectories = new Option<string>("--trajectories") { Description = "Where rows with old_logprobs, values, advantages and returns go.", HelpName = "FILE.parquet", Required = true };
        var checkpoint = new Option<string>("--checkpoint-out") { Description = "Where the new checkpoint goes; an older one there is replaced, anything else is an error.", HelpName = "DIR", Required = true };
        var policy = new Option<string>("--policy-out") { Description = "Where the updated policy's ONNX folder goes; an older export there is replaced, anything else is an error.", HelpName = "DIR", Required = true };
        var greedy = new Option<string?>("--greedy") { Description = "Scored greedy responses to the same prompts (remax, baseline: greedy).", HelpName = "FILE.parquet" };
        var reference = new Option<string?>("--reference-responses") { Description = "Scored responses of the reference policy to the same prompts (reward_baseline: reference).", HelpName = "FILE.parquet" };
        string what = method is { } m ? MethodDefaults.Of(m).Title : "the configured method (method.name)";
        var command = new Command(method is { } named ? Key(named) : "policy", $"One iteration of {what} on scored responses; exports the updated policy.")
        {
            input, from, trajectories, checkpoint, policy, greedy, reference,
        };
        CommonOptions.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            OnnxExporter.CheckReplaces(policy.Name, parsed.GetValue(policy)!);
            PolicySnapshot.CheckReplaces(checkpoint.Name, parsed.GetValue(checkpoint)!);
            RunConfig run = Load(common, method);
            string file = parsed.GetValue(input)!;
            DataFiles.RefuseInput(parsed.GetValue(trajectories)!, new[] { file, parsed.GetValue(greedy), parsed.GetValue(reference) }.OfType<string>());
            List<ScoredRollout> rows = [.. ScoredFile.Read(file)];
            var others = new PromptScores(Scores(parsed.GetValue(greedy)), Scores(parsed.GetValue(reference)));
            using PolicySession session = PolicySession.Open(run, parsed.GetValue(from));
            if (common.DryRun)
            {
                others.Fill(TrajectoryRows.ToBatch(rows, session.Policy.Config), rows);
                Console.WriteLine($"would train iteration {session.State.Iteration + 1} of {run.Method.Title} on {rows.Count:N0} responses");
                return Task.FromResult((int)ExitCode.Done);
            }

            string output = parsed.GetValue(checkpoint)!, unfinished = Path.TrimEndingDirectorySeparator(output) + ".unfinished";
            string inputs = string.Join('\n', TrainingInputs.Hashes([file, parsed.GetValue(from) ?? run.Policy, parsed.GetValue(greedy) ?? "", parsed.GetValue(reference) ?? ""]).Select(i => $"{i.Key} {i.Value}"));
            var keeper = new IterationKeeper(
                unfinished, session.State.Iteration + 1, Sha256.OfText(ConfigWriter.ToYaml(run) + inputs), TimeSpan.FromMinutes(run.CheckpointMinutes), new PolicySnapshot());
            PolicyMetrics metrics = Train(session, run, file, rows, parsed.GetValue(trajectories)!, others, keeper, cancellation);
            ExportedPolicy exported = session.ExportPolicy(parsed.GetValue(policy)!);
            session.SaveCheckpoint(output);
            WholeFolder.Remove(unfinished);
            var table = new ConsoleTable("metric", "value") { Title = $"iteration {session.State.Iteration} of {run.Method.Title}: {rows.Count:N0} responses" };
            foreach ((string name, double value) in metrics.ToDictionary().Concat(exported.ToDictionary())) table.Add(name, value.ToString("G5", System.Globalization.CultureInfo.InvariantCulture));
            table.Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static PolicyMetrics Train(
        PolicySession session, RunConfig run, string file, List<ScoredRollout> rows, string trajectories, PromptScores others, IterationKeeper keeper, CancellationToken cancellation)
    {
        using var bar = new ProgressReport("optimizing", PolicySession.PlannedSteps(run, rows.Count), "steps");
        int before = 0;
        try
        {
            return session.Iterate(file, rows, trajectories, (done, _) =>
            {
                bar.Advance(done - before);
                before = done;
            }, cancellation, others, keeper);
        }
        catch (OperationCanceledException) when (keeper.Kept is { } kept)
        {
            throw new InterruptedException($"Stopped {kept}, checkpointed. The same command goes on from there.");
        }
    }

    /// <summary>The configuration with the command's method; one that names another method is a contradiction.</summary>
    private static RunConfig Load(CommonOptions common, MethodName? method)
    {
        if (method is not { } wanted) return common.Load<RunConfig>();
        string? written = ConfigBinder.Written(common.Config, common.Set, "method.name");
        if (written is null || written == Key(wanted)) return ConfigBinder.Load<RunConfig>(common.Config, [.. common.Set, $"method.name={Key(wanted)}"]);
        throw new ConfigurationException($"method.name is {written}; it must be {Key(wanted)}, or not be given, for 'rlhf-optimize {Key(wanted)}'. Use 'rlhf-optimize policy', which takes the configured method.");
    }

    private static IReadOnlyDictionary<string, double>? Scores(string? file) => file is null ? null : PromptScores.Read(file);

    private static string Key(MethodName name) => MethodConfig.KeyOf(name);
}

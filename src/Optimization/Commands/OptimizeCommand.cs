using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize</c>: everything that changes weights, and their export.</summary>
public static class OptimizeCommand
{
    public static RootCommand Create()
    {
        var root = new RootCommand("Trains policies and reward models in libtorch and exports them to ONNX.");
        foreach (Command command in Subcommands()) root.Subcommands.Add(command);
        return root;
    }

    /// <summary>The subcommands, which <c>rlhf optimize</c> has too.</summary>
    public static IEnumerable<Command> Subcommands() =>
    [
        TokenizerCommand.Create(),
        QaFeedbackCommand.Create(),
        RankingsCommand.Create(),
        Configured<SftConfig>(SftStage.Name, "Supervised fine-tuning: maximum likelihood on texts, or on completions given prompts.", (config, token) => SftStage.Run(config, token), SftStage.Check),
        Configured<RewardModelConfig>(RewardModelStage.Name, "Trains a reward model on labels, scores or comparisons.", (config, token) => RewardModelStage.Run(config, token), RewardModelStage.Check),
        .. PolicyCommand.CreateAll(),
        .. PreferenceCommands.Create(),
        PairsCommand.Create(),
        Configured<RftConfig>(RftStage.Name, "Fine-tuning on the best of scored samples: best-of-N or rejection sampling.", (config, token) => RftStage.Run(config, token), RftStage.Check),
        Configured<IlqlConfig>(IlqlStage.Name, "Implicit language Q-learning on scored samples, without drawing new ones.", (config, token) => IlqlStage.Run(config, token), IlqlStage.Check),
        ExportCommand.Create(),
        ConvertCommand.Create(),
    ];

    /// <summary>Of every training that can be stopped and gone on with.</summary>
    internal static Option<bool> RestartOption { get; } = new("--restart") { Description = "Begin anew, even where a stopped training could go on." };

    /// <summary>Trains; or, with --dry-run, shows the configuration and reads everything that the training would read.</summary>
    internal static void Run(string name, TrainingConfig config, ParseResult parsed, Action train, Action check)
    {
        if (CommonOptions.Of(parsed).DryRun)
        {
            Console.Write(ConfigWriter.ToYaml(config));
            check();
            Console.WriteLine($"would train into {config.Output}");
            return;
        }

        if (parsed.GetValue(RestartOption)) TrainingCheckpoint.Forget(name, config.Output);
        train();
    }

    private static Command Configured<T>(string name, string description, Action<T, CancellationToken> run, Action<T, CancellationToken> check)
        where T : TrainingConfig
    {
        var command = new Command(name, description);
        CommonOptions.AddTo(command);
        command.Options.Add(RestartOption);
        command.SetAction((parsed, cancellation) =>
        {
            T config = CommonOptions.Of(parsed).Load<T>();
            Run(name, config, parsed, () => run(config, cancellation), () => check(config, cancellation));
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

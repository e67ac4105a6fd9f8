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
        Configured<SftConfig>("sft", "Supervised fine-tuning: maximum likelihood on texts, or on completions given prompts.", (config, token) => SftStage.Run(config, token)),
        Configured<RewardModelConfig>("reward-model", "Trains a reward model on labels, scores or comparisons.", (config, token) => RewardModelStage.Run(config, token)),
        .. PolicyCommand.CreateAll(),
        .. PreferenceCommands.Create(),
        PairsCommand.Create(),
        Configured<RftConfig>("rft", "Fine-tuning on the best of scored samples: best-of-N or rejection sampling.", (config, token) => RftStage.Run(config, token)),
        Configured<IlqlConfig>("ilql", "Implicit language Q-learning on scored samples, without drawing new ones.", (config, token) => IlqlStage.Run(config, token)),
        ExportCommand.Create(),
        ConvertCommand.Create(),
    ];

    private static Command Configured<T>(string name, string description, Action<T, CancellationToken> run)
        where T : class
    {
        var command = new Command(name, description);
        CommonOptions.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            T config = common.Load<T>();
            if (common.DryRun) Console.Write(ConfigWriter.ToYaml(config));
            else run(config, cancellation);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

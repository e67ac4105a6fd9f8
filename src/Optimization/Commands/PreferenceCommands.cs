using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize dpo|ipo|kto|orpo|simpo</c>: one trainer, a command for each method.</summary>
public static class PreferenceCommands
{
    public static IEnumerable<Command> Create() => Enum.GetValues<PreferenceMethod>().Select(method => Create(method, method switch
    {
        PreferenceMethod.Dpo => "Direct preference optimisation on pairs (with label_smoothing: cDPO).",
        PreferenceMethod.Ipo => "Identity preference optimisation on pairs.",
        PreferenceMethod.Kto => "Kahneman-Tversky optimisation on responses marked good or bad, or on pairs.",
        PreferenceMethod.Orpo => "Odds-ratio preference optimisation on pairs, without a reference.",
        _ => "Simple preference optimisation on pairs, without a reference.",
    }));

    private static Command Create(PreferenceMethod method, string description)
    {
        string name = method.ToString().ToLowerInvariant();
        var command = new Command(name, description);
        CommonOptions.AddTo(command);
        command.Options.Add(OptimizeCommand.RestartOption);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            // Without a file the command says which method it is; a file says it itself.
            PreferenceConfig config = ConfigBinder.Load<PreferenceConfig>(common.Config, common.Config is null ? [$"method={name}", .. common.Set] : common.Set);
            if (config.Method != method)
            {
                string found = config.Method.ToString().ToLowerInvariant();
                throw new ConfigurationException($"{common.Config ?? "--set"}: method is {found}; the command is {name}. Run rlhf-optimize {found}, or take configs/{name}.yaml.");
            }

            OptimizeCommand.Run(name, config, parsed, () => PreferenceStage.Run(config, cancellation), () => PreferenceStage.Check(config, cancellation));
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

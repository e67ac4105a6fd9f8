using System.CommandLine;

namespace Rlhf.Core;

/// <summary>Which of the <see cref="CommonOptions"/> a command reads, and so offers.</summary>
[Flags]
public enum Offered
{
    /// <summary>--log-level, which every command has.</summary>
    LogLevel = 0,

    /// <summary>--dry-run: the command makes files, and can say which without making them.</summary>
    DryRun = 1,

    /// <summary>--set: the command has a configuration.</summary>
    Set = 2,

    /// <summary>--config: the command reads it from a file.</summary>
    Config = 4,

    /// <summary>Everything.</summary>
    All = DryRun | Set | Config,
}

/// <summary>The options that commands share, and their values.</summary>
/// <param name="Config">The YAML file, or null.</param>
/// <param name="Set">Each <c>key=value</c>, in the order given.</param>
/// <param name="DryRun">Check everything, do nothing.</param>
/// <param name="LogLevel">How much is told on stderr.</param>
public sealed record CommonOptions(string? Config, IReadOnlyList<string> Set, bool DryRun, LogLevel LogLevel)
{
    private static readonly Option<string?> ConfigOption = new("--config")
    {
        Description = "The configuration file (YAML).",
        HelpName = "FILE",
    };

    private static readonly Option<string[]> SetOption = new("--set")
    {
        Description = "Overrides one configuration value, for example --set method.clip_range=0.1. Repeatable; wins over the file.",
        HelpName = "key=value",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<bool> DryRunOption = new("--dry-run")
    {
        Description = "Check the configuration and the inputs, say what would be done, and write nothing.",
    };

    private static readonly Option<LogLevel> LogLevelOption = new("--log-level")
    {
        Description = "How much is told on stderr; info unless said otherwise.",
        HelpName = "error|warning|info|debug",
        Recursive = true,
    };

    /// <summary>Adds --log-level and what else is <paramref name="offered"/>: only options that the command honours.</summary>
    public static T AddTo<T>(T command, Offered offered = Offered.All)
        where T : Command
    {
        if (offered.HasFlag(Offered.Config)) command.Options.Add(ConfigOption);
        if (offered.HasFlag(Offered.Set)) command.Options.Add(SetOption);
        if (offered.HasFlag(Offered.DryRun)) command.Options.Add(DryRunOption);
        command.Options.Add(LogLevelOption);
        return command;
    }

    /// <summary>The values given; defaults for options that the command does not have.</summary>
    public static CommonOptions Of(ParseResult result) => new(
        result.GetResult(ConfigOption) is null ? null : result.GetValue(ConfigOption),
        result.GetResult(SetOption) is null ? [] : result.GetValue(SetOption) ?? [],
        result.GetResult(DryRunOption) is not null && result.GetValue(DryRunOption),
        result.GetResult(LogLevelOption) is null ? LogLevel.Info : result.GetValue(LogLevelOption));

    /// <summary>Loads <typeparamref name="T"/> from --config and --set.</summary>
    /// <exception cref="ConfigurationException">All problems of the configuration.</exception>
    public T Load<T>()
        where T : class => ConfigBinder.Load<T>(Config, Set);
}

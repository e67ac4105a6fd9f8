using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;

namespace Rlhf.Core;

/// <summary>
/// Runs a command line to an exit code: the one place where an exception becomes a message. Every executable's <c>Main</c> is
/// <c>return CommandHost.Run(args, root);</c>.
/// </summary>
public static class CommandHost
{
    /// <summary>The exit code of a defect: something that no <see cref="RlhfException"/> explains.</summary>
    public const int UnexpectedFailure = 1;

    /// <summary>Parses and runs. Command actions take the cancellation token, stop at a safe point and throw <see cref="OperationCanceledException"/>.</summary>
    /// <param name="args">As given to Main.</param>
    /// <param name="root">The root command with its subcommands.</param>
    /// <param name="output">stdout unless a test looks at it.</param>
    /// <param name="error">stderr unless a test looks at it.</param>
    public static int Run(string[] args, RootCommand root, TextWriter? output = null, TextWriter? error = null)
    {
        output ??= System.Console.Out;
        if (error is null)
        {
            System.Console.SetError(new ToleratedWriter(System.Console.Error)); // progress and engines write there too
            error = System.Console.Error;
        }

        // No response files: '@name' is text that people write in prompts.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0) return TellParseErrors(parsed, error);
        LogLevel level = CommonOptions.Of(parsed).LogLevel;
        (LogLevel Level, TextWriter? Writer) before = (Log.Level, Log.Writer);
        (Log.Level, Log.Writer) = (level, error);
        using InterruptSignals signals = new(error);
        try
        {
            InvocationConfiguration invocation = new()
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // signals are ours
                Output = output,
                Error = error,
            };
            return parsed.InvokeAsync(invocation, signals.Token).GetAwaiter().GetResult();
        }
        catch (Exception exception)
        {
            return Explain(exception, level, error);
        }
        finally
        {
            (Log.Level, Log.Writer) = before; // a test's writer does not outlive its command
        }
    }

    /// <summary>Tells what happened in one readable paragraph and chooses the exit code.</summary>
    public static int Explain(Exception exception, LogLevel level, TextWriter error)
    {
        if (exception is AggregateException { InnerExceptions.Count: 1 } or System.Reflection.TargetInvocationException && exception.InnerException is { } inner)
            return Explain(inner, level, error);
        if (Known(exception) is { } explainedInside) return Explain(explainedInside, level, error);
        switch (exception)
        {
            case RlhfException known:
                Tell(known, level, error);
                return (int)known.ExitCode;
            case OperationCanceledException:
                string how = exception.Message.Length > 0 && exception.GetType() == typeof(InterruptedException) ? exception.Message : "Interrupted. Finished files are intact; unfinished ones were removed.";
                error.WriteLine(how);
                return (int)ExitCode.Interrupted;
            case IOException or UnauthorizedAccessException:
                BadDataException explained = new($"A file could not be read or written: {(FileErrors.IsDiskFull(exception) ? "the disk is full. Free some space and run again." : exception.Message)}", exception);
                Tell(explained, level, error);
                return (int)explained.ExitCode;
            case OutOfMemoryException:
                error.WriteLine("error: Memory ran out. Use a smaller batch size or sequence length (--set …), or a machine with more memory.");
                return UnexpectedFailure;
            default:
                error.WriteLine($"error: Unexpected failure ({exception.GetType().Name}): {exception.Message}");
                if (level >= LogLevel.Debug) error.WriteLine(exception);
                else error.WriteLine($"This is a defect of the program. The details are in {WriteLog(exception)}; --log-level debug shows them here.");
                return UnexpectedFailure;
        }
    }

    /// <summary>
    /// A library that is missing or cannot be loaded shows where it is first used, often inside a static constructor: its own message (which
    /// says where it was sought) or the project's error inside is what the user can act on.
    /// </summary>
    private static RlhfException? Known(Exception exception)
    {
        if (exception is not (TypeInitializationException or DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)) return null;
        for (Exception? at = exception; at is not null; at = at.InnerException)
        {
            if (at is RlhfException known) return known;
            if (at is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
            {
                string remedy = at.Message.Contains("./rlhf", StringComparison.Ordinal) ? "" : " Run './rlhf doctor', which says what is missing, and './rlhf setup', which installs it.";
                string message = at.GetType() == typeof(DllNotFoundException) || at is not DllNotFoundException ? $"A native engine cannot be loaded: {at.Message.Trim()}" : at.Message;
                return new EngineException(message + remedy, exception);
            }
        }

        return null;
    }

    private static void Tell(RlhfException known, LogLevel level, TextWriter error)
    {
        IReadOnlyList<string> problems = known is ConfigurationException configuration ? configuration.Problems : [known.Message];
        if (problems.Count == 1) error.WriteLine($"error: {problems[0]}");
        else error.WriteLine($"error: {problems.Count} problems:{string.Concat(problems.Select(p => $"{Environment.NewLine}  {p}"))}");
        if (level >= LogLevel.Debug) error.WriteLine(known);
    }

    private static int TellParseErrors(ParseResult parsed, TextWriter error)
    {
        List<string> names = [];
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent) names.Insert(0, command.Command.Name);
        string name = string.Join(' ', names);
        string[] commands = [.. parsed.CommandResult.Command.Subcommands.Select(c => c.Name)];
        string? wrong = parsed.UnmatchedTokens is [string first, ..] ? first : null;
        if (commands.Length > 0 && wrong is not ['-', ..])
        {
            error.WriteLine(wrong is null ? $"error: '{name}' needs a command: {string.Join(", ", commands)}."
                : NearestName.Of(wrong, commands) is { } near ? $"error: '{name}' has no command '{wrong}'; did you mean {near}?"
                : $"error: '{name}' has no command '{wrong}'; it has: {string.Join(", ", commands)}.");
        }
        else
        {
            foreach (ParseError problem in parsed.Errors) error.WriteLine($"error: {problem.Message}");
        }

        error.WriteLine($"'{name} --help' lists what is known.");
        return (int)ExitCode.BadConfiguration;
    }

    private static string WriteLog(Exception exception)
    {
        string stamp = DateTimeOffset.UtcNow.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        string path = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"rlhf-failure-{stamp}-{Environment.ProcessId}.log"));
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"command: {Environment.CommandLine}").AppendLine(CultureInfo.InvariantCulture, $"system: {Environment.OSVersion}, .NET {Environment.Version}").AppendLine(exception.ToString());
        try
        {
            File.WriteAllText(path, text.ToString());
            return path;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            return $"no log ({e.Message})";
        }
    }
}

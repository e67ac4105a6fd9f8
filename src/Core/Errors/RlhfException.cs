namespace Rlhf.Core;

/// <summary>Exit codes of every command; part of the command contract.</summary>
public enum ExitCode
{
    Done = 0,
    BadConfiguration = 2,
    BadData = 3,
    BadModel = 4,
    NumericalFailure = 5,
    NativeEngineFailure = 6,
    Interrupted = 130,
}

/// <summary>
/// A failure that the user can act on. The message is one readable paragraph: what, where, found, expected, remedy.
/// The entry points print it without a stack trace and exit with <see cref="ExitCode"/>.
/// </summary>
public abstract class RlhfException(string message, Exception? inner = null) : Exception(message, inner)
{
    public abstract ExitCode ExitCode { get; }
}

/// <summary>A configuration file, option or argument is wrong (exit code 2). Carries every problem found, not only the first.</summary>
public sealed class ConfigurationException(IReadOnlyList<string> problems, Exception? inner = null)
    : RlhfException(string.Join(Environment.NewLine, problems), inner)
{
    public ConfigurationException(string problem, Exception? inner = null) : this([problem], inner) { }

    public IReadOnlyList<string> Problems { get; } = problems;

    public override ExitCode ExitCode => ExitCode.BadConfiguration;
}

/// <summary>Input data is missing, malformed or cannot be written (exit code 3).</summary>
public sealed class BadDataException(string message, Exception? inner = null) : RlhfException(message, inner)
{
    public override ExitCode ExitCode => ExitCode.BadData;
}

/// <summary>A model folder is missing, damaged or of the wrong shape (exit code 4).</summary>
public sealed class BadModelException(string message, Exception? inner = null) : RlhfException(message, inner)
{
    public override ExitCode ExitCode => ExitCode.BadModel;
}

/// <summary>NaN, Inf or a failed equality gate (exit code 5).</summary>
public sealed class NumericalException(string message, Exception? inner = null) : RlhfException(message, inner)
{
    public override ExitCode ExitCode => ExitCode.NumericalFailure;
}

/// <summary>A native engine (ONNX Runtime, GenAI, libtorch, DuckDB) failed or is not installed (exit code 6).</summary>
public sealed class EngineException(string message, Exception? inner = null) : RlhfException(message, inner)
{
    public override ExitCode ExitCode => ExitCode.NativeEngineFailure;
}

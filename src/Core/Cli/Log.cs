namespace Rlhf.Core;

/// <summary>How much is told; each level tells what the ones before it tell.</summary>
public enum LogLevel { Error, Warning, Info, Debug }

/// <summary>Lines for people, on stderr. Results belong on stdout and in files, not here.</summary>
public static class Log
{
    private static readonly Lock Gate = new();

    /// <summary>Set from --log-level by <see cref="CommandHost"/>.</summary>
    public static LogLevel Level { get; set; } = LogLevel.Info;

    /// <summary>Where the lines go; stderr as it is at the time, unless a test looks at them.</summary>
    public static TextWriter? Writer { get; set; }

    /// <summary>Called with every warning that was told, so that reports and manifests can repeat it.</summary>
    public static event Action<string>? WarningTold;

    public static void Error(string message) => Write(LogLevel.Error, "error: ", message);

    public static void Warning(string message)
    {
        Write(LogLevel.Warning, "warning: ", message);
        WarningTold?.Invoke(message);
    }

    public static void Info(string message) => Write(LogLevel.Info, "", message);
    public static void Debug(string message) => Write(LogLevel.Debug, "debug: ", message);

    private static void Write(LogLevel level, string prefix, string message)
    {
        if (level > Level) return;
        lock (Gate) (Writer ?? System.Console.Error).WriteLine(prefix + message);
    }
}

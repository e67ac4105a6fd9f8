namespace Rlhf.Core;

/// <summary>What the console can do.</summary>
public static class Terminal
{
    /// <summary>True when people watch stderr: not a file, not a pipe, not TERM=dumb.</summary>
    public static bool ErrorIsTerminal => !System.Console.IsErrorRedirected && IsCapable;

    /// <summary>True when people watch stdout.</summary>
    public static bool OutputIsTerminal => !System.Console.IsOutputRedirected && IsCapable;

    /// <summary>Columns; 120 when unknown.</summary>
    public static int Width
    {
        get
        {
            try
            {
                return System.Console.WindowWidth is > 20 and int width ? width : 120;
            }
            catch (IOException)
            {
                return 120; // no console
            }
        }
    }

    private static bool IsCapable => Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb") || OperatingSystem.IsWindows();
}

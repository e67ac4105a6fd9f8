using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Rlhf.Core;

/// <summary>Sends signals to other processes: what .NET does not offer besides SIGKILL.</summary>
[SupportedOSPlatform("linux")]
public static partial class Signals
{
    /// <summary>Numbers of Linux.</summary>
    public const int Interrupt = 2, Kill = 9, Terminate = 15;

    /// <summary>False when the process is gone already.</summary>
    public static bool Send(int process, int signal) => SendSignal(process, signal) == 0;

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}

using System.Runtime.InteropServices;

namespace Rlhf.Core;

/// <summary>
/// Ctrl-C and SIGTERM: the first asks the work to stop at its next safe point, a second one ends the process at once. Ending at once
/// does no harm, since files appear only when whole.
/// </summary>
public sealed partial class InterruptSignals : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private readonly TextWriter _messages;
    private readonly Action<int> _exitNow;
    private int _count;

    /// <param name="messages">Where "finishing…" is told.</param>
    /// <param name="exitNow">Ends the process; replaced in tests.</param>
    public InterruptSignals(TextWriter messages, Action<int>? exitNow = null)
    {
        _messages = messages;
        _exitNow = exitNow ?? ExitNow;
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _source.Dispose();
    }

    internal void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1)
        {
            _exitNow((int)ExitCode.Interrupted);
            return;
        }

        string again = context.Signal == PosixSignal.SIGINT ? "Ctrl-C again" : "a second signal";
        try
        {
            _source.Cancel(); // first: a reader of the messages that has stopped reading holds up who writes
        }
        catch (ObjectDisposedException)
        {
            return; // the work ended while the signal came
        }

        _messages.WriteLine($"\nInterrupted: finishing at the next safe point… ({again} stops at once)");
    }

    /// <summary>Without the exit handlers of native engines, which may wait for threads that are still computing.</summary>
    private static void ExitNow(int code)
    {
        if (OperatingSystem.IsWindows()) Environment.Exit(code);
        else ExitProcess(code);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitProcess(int code);
}

using System.Diagnostics;
using System.Text;

namespace Rlhf.Pipeline.Bench;

/// <summary>How a process ended.</summary>
/// <param name="Code">Exit code; 128 + signal where a signal ended it.</param>
/// <param name="Error">What it wrote to stderr.</param>
public sealed record Ended(int Code, string Error);

/// <summary>This program as a process of its own, which can be killed.</summary>
public sealed class RunProcess : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _error = new();

    private RunProcess(Process process, Action<string>? told)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null) return;
            told?.Invoke(line.Data);
            lock (_error) _error.AppendLine(line.Data);
        };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts <c>rlhf args</c>.</summary>
    public static RunProcess Start(params string[] args) => Start(args, null);

    /// <summary>Starts <c>rlhf args</c> with more environment variables.</summary>
    /// <param name="args">Of the command line.</param>
    /// <param name="environment">Added to this process's own.</param>
    /// <param name="told">Called with every line of stderr as it comes, on another thread.</param>
    public static RunProcess Start(IReadOnlyList<string> args, IReadOnlyDictionary<string, string>? environment, Action<string>? told = null)
    {
        string program = typeof(RunProcess).Assembly.Location;
        var start = new ProcessStartInfo(Environment.ProcessPath!, [program, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return new RunProcess(Process.Start(start)!, told);
    }

    /// <summary>SIGKILL: the process has no chance to do anything.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for the end; past the limit the process is killed and <see cref="TimeoutException"/> thrown.</summary>
    public Ended Wait(TimeSpan limit)
    {
        if (!_process.WaitForExit(limit))
        {
            _process.Kill();
            throw new TimeoutException($"process {Id} did not end within {limit.TotalSeconds:0} s:\n{_error}");
        }

        _process.WaitForExit(); // the pipes too
        lock (_error) return new Ended(_process.ExitCode, _error.ToString().Trim());
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }
}

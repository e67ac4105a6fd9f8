using System.Diagnostics;
using System.Text;
using System.Threading.Channels;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// A program as a reward: it is started once, reads one JSON object a line ({"id", "prompt", "response", "metadata"}) and writes one a line
/// in the same order: {"reward": number, list or null}. It must flush after each line.
/// </summary>
internal sealed class ProgramReward : IRewardFunction
{
    private const int RowsInFlight = 256, ErrorLines = 5;
    private readonly string _command;
    private readonly TimeSpan _timeout;
    private readonly Queue<string> _errors = new();
    private Channel<string> _answers = Channel.CreateUnbounded<string>();
    private Process? _process;
    private long _id;

    /// <param name="command">Shell command.</param>
    /// <param name="timeout">Longest wait for one answer.</param>
    public ProgramReward(string command, TimeSpan timeout) => (_command, _timeout) = (command, timeout);

    public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
    {
        _process ??= Start();
        var values = new RewardValue[rows.Count];
        long first = _id;
        try
        {
            // Some rows ahead of the answers keep the program busy.
            int sent = 0;
            for (int i = 0; i < values.Length; i++)
            {
                for (; sent < values.Length && sent - i < RowsInFlight; sent++) Wait(_process.StandardInput.WriteLineAsync(RewardJson.Row(rows[sent], _id++)), cancellation);
                if (sent - i == RowsInFlight || sent == values.Length) Wait(_process.StandardInput.FlushAsync(cancellation), cancellation);
                if (!Wait(_answers.Reader.WaitToReadAsync(cancellation).AsTask(), cancellation) || !_answers.Reader.TryRead(out string? line)) throw Ended();
                values[i] = RewardJson.Value(line, first + i, $"The reward program '{_command}'");
            }

            return values;
        }
        catch (Exception e)
        {
            EngineException? ended = e is IOException ? Ended(e) : null;
            Dispose(); // what is left in its pipes belongs to rows that nobody waits for
            if (ended is not null) throw ended;
            throw;
        }
    }

    private Process Start()
    {
        var info = new ProcessStartInfo("/bin/sh")
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            StandardInputEncoding = new UTF8Encoding(false), StandardOutputEncoding = new UTF8Encoding(false),
        };
        info.ArgumentList.Add("-c");
        info.ArgumentList.Add(_command);
        Process process = Process.Start(info) ?? throw new EngineException($"The reward program '{_command}' could not be started.");
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null) return;
            lock (_errors)
            {
                _errors.Enqueue(line.Data);
                if (_errors.Count > ErrorLines) _errors.Dequeue();
            }
        };
        process.BeginErrorReadLine();
        _answers = Channel.CreateUnbounded<string>();
        _ = Listen(process.StandardOutput, _answers.Writer);
        return process;
    }

    // Answers are taken in at once: a program whose output nobody reads would stop reading its input.
    private static async Task Listen(StreamReader output, ChannelWriter<string> answers)
    {
        Exception? failure = null;
        try
        {
            while (await output.ReadLineAsync().ConfigureAwait(false) is { } line) answers.TryWrite(line);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            failure = e as IOException; // handed to the reader of the channel; disposal is our own doing
        }

        answers.Complete(failure);
    }

    private T Wait<T>(Task<T> task, CancellationToken cancellation)
    {
        Wait((Task)task, cancellation);
        return task.GetAwaiter().GetResult();
    }

    private void Wait(Task task, CancellationToken cancellation)
    {
        if (Task.WaitAny([task], (int)_timeout.TotalMilliseconds, cancellation) < 0)
        {
            throw new EngineException($"The reward program '{_command}' gave no answer within {_timeout.TotalSeconds:0.#} s. It must write and flush one line for each line that it reads; --reward-timeout gives it longer.");
        }

        task.GetAwaiter().GetResult();
    }

    private EngineException Ended(Exception? inner = null)
    {
        string code = _process is { } process && process.WaitForExit(1000) ? $" with exit code {process.ExitCode}" : "";
        string said;
        lock (_errors) said = _errors.Count == 0 ? "it said nothing on standard error" : "its last words: " + string.Join(" | ", _errors);
        return new EngineException($"The reward program '{_command}' ended{code} before it had answered every row; {said}.", inner);
    }

    public void Dispose()
    {
        if (_process is not { } process) return;
        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It is gone already; a broken pipe is how one learns it.
        }

        if (!process.WaitForExit(500)) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        _process = null;
    }
}

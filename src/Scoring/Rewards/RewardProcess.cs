using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Threading.Channels;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// A reward program that runs: rows go in on one thread while answers come out on another. No answer is taken for a row that was not sent yet, so
/// a program that writes more than it reads is found out, and no more answers than rows are ever kept.
/// </summary>
internal sealed class RewardProcess : IDisposable
{
    private const int ErrorLines = 5, LongestErrorLine = 1000, LongestAnswer = 1 << 24;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(0.5), EndWait = TimeSpan.FromSeconds(2);
    private readonly string _who;
    private readonly TimeSpan _timeout;
    private readonly Process _process;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>(); // bounded by the rows that were sent
    private readonly Queue<string> _errors = new();
    private readonly Task _errorsRead;
    private long _sent;

    private RewardProcess(string who, TimeSpan timeout, Process process)
    {
        (_who, _timeout, _process) = (who, timeout, process);
        _errorsRead = ReadErrors(process.StandardError);
        _ = ReadAnswers(process.StandardOutput);
    }

    /// <param name="command">Shell command.</param>
    /// <param name="who">Its name, for messages.</param>
    /// <param name="timeout">Longest wait for one answer.</param>
    public static RewardProcess Start(string command, string who, TimeSpan timeout)
    {
        var info = new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            StandardInputEncoding = new UTF8Encoding(false), StandardOutputEncoding = new UTF8Encoding(false),
        };
        Process process = Process.Start(info) ?? throw new EngineException($"{who} could not be started.");
        process.StandardInput.AutoFlush = false; // rows leave in blocks
        return new RewardProcess(who, timeout, process);
    }

    /// <summary>Rows that were sent so far.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Sends rows beside the caller, as fast as the program reads; their ids are counted from the program's start.</summary>
    public Task Send(ArraySegment<RuleInput> rows) => Task.Run(async () =>
    {
        try
        {
            foreach (RuleInput row in rows)
            {
                long id = Interlocked.Increment(ref _sent) - 1; // before it is written: the answer may come at once
                await _process.StandardInput.WriteLineAsync(RewardJson.Row(row, id)).ConfigureAwait(false);
            }

            await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // It reads no more, or was ended: the missing answers tell.
        }
        catch (Exception e)
        {
            _answers.Writer.TryComplete(e);
        }
    });

    /// <summary>The next answer.</summary>
    /// <param name="row">Whose it is, for messages.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="EngineException">None came in time, or the program has ended.</exception>
    /// <exception cref="BadDataException">The program wrote an answer that no row asked for.</exception>
    public string Next(RowPlace row, CancellationToken cancellation)
    {
        string? answer;
        while (!_answers.Reader.TryRead(out answer))
        {
            Task<bool> more = _answers.Reader.WaitToReadAsync(cancellation).AsTask();
            if (!IsDone(more, _timeout, cancellation))
                throw new EngineException($"{_who} gave no answer within {_timeout.TotalSeconds:0.#} s for {row}. It must write and flush one line for each line that it reads; --reward-timeout gives it longer.");
            if (!more.GetAwaiter().GetResult()) throw Ended(row);
        }

        return answer;
    }

    /// <summary>Waits until the rows were read and looks for a moment whether an answer follows that no row asked for.</summary>
    /// <param name="sending">What <see cref="Send"/> gave; all answers to it have come.</param>
    /// <param name="moment">How long to look.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public void Settle(Task sending, TimeSpan moment, CancellationToken cancellation)
    {
        if (!IsDone(sending, _timeout, cancellation))
            throw new EngineException($"{_who} answered rows that it did not read within {_timeout.TotalSeconds:0.#} s. It must write one line for each line that it reads.");
        Task<bool> more = _answers.Reader.WaitToReadAsync(cancellation).AsTask();
        if (IsDone(more, moment, cancellation)) more.GetAwaiter().GetResult(); // throws what the reader of answers found
    }

    private static bool IsDone(Task task, TimeSpan patience, CancellationToken cancellation) => Task.WaitAny([task], (int)patience.TotalMilliseconds, cancellation) == 0;

    private async Task ReadAnswers(StreamReader output)
    {
        using StreamReader own = output;
        try
        {
            var lines = new CappedLines(own, LongestAnswer);
            for (long count = 1; await lines.Next().ConfigureAwait(false) is { } line; count++)
            {
                if (line.Length > LongestAnswer) throw new BadDataException($"{_who} wrote a line of more than {LongestAnswer} characters, which begins with '{Excerpt.Of(line)}'. It must write one short line for each line that it reads.");
                if (count > Volatile.Read(ref _sent))
                {
                    throw new BadDataException(
                        $"{_who} wrote an answer that no row asked for: '{Excerpt.Of(line)}'. It must write one line for each line that it reads and nothing else; messages belong on standard error.");
                }

                _answers.Writer.TryWrite(line);
            }

            _answers.Writer.TryComplete();
        }
        catch (Exception e)
        {
            _answers.Writer.TryComplete(e); // thrown where answers are taken
        }
    }

    private async Task ReadErrors(StreamReader errors)
    {
        using StreamReader own = errors;
        var lines = new CappedLines(own, LongestErrorLine);
        while (await lines.Next().ConfigureAwait(false) is { } line)
        {
            lock (_errors)
            {
                _errors.Enqueue(line);
                if (_errors.Count > ErrorLines) _errors.Dequeue();
            }
        }
    }

    private EngineException Ended(RowPlace row)
    {
        string code = _process.WaitForExit(EndWait) ? $" with exit code {_process.ExitCode}" : "";
        IsDone(_errorsRead, Farewell, CancellationToken.None); // a child of it may hold the stream open
        string said;
        lock (_errors) said = _errors.Count == 0 ? "it said nothing on standard error" : "its last words: " + string.Join(" | ", _errors);
        return new EngineException($"{_who} ended{code} before it had answered every row; the next was {row}; {said}.");
    }

    /// <summary>Ends the program and what it started at once: what is left in its pipes belongs to rows that nobody waits for.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is Win32Exception or AggregateException)
        {
            Log.Warning($"{_who} could not be ended: {e.Message}");
        }
    }

    /// <summary>Lets the program end by the end of its input, and not for long.</summary>
    public void Dispose()
    {
        // The stream, not its writer: after a failure a row may be stuck in the writer, which then would refuse.
        _process.StandardInput.BaseStream.Dispose();
        if (!_process.WaitForExit(Farewell))
        {
            Kill();
            _process.WaitForExit(EndWait);
        }

        _process.Dispose();
    }
}

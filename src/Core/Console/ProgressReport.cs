using System.Globalization;

namespace Rlhf.Core;

/// <summary>
/// How far a piece of work is: on a terminal one line that redraws itself (bar, share, rate, time left), elsewhere a plain line every few
/// seconds, and after ten seconds without news once more, so that a long step is not taken for a hang. Work shorter than two seconds says nothing.
/// </summary>
public sealed class ProgressReport : IDisposable
{
    private const int BarWidth = 24;
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NoNews = TimeSpan.FromSeconds(10);

    private readonly string _title;
    private readonly long _total;
    private readonly string _unit;
    private readonly TextWriter _writer;
    private readonly bool _isTerminal;
    private readonly TimeProvider _clock;
    private readonly long _start;
    private readonly ITimer _beat;
    private readonly Lock _gate = new();
    private long _done;
    private long _before; // of which an earlier run has done so many …
    private TimeSpan _since; // … up to this moment of ours
    private string _note = "";
    private TimeSpan _lastTold;
    private int _drawnLength;
    private bool _finished;

    /// <param name="title">"Generating".</param>
    /// <param name="total">What <see cref="Advance"/> adds up to; 0 when unknown.</param>
    /// <param name="unit">What is counted, in the plural: "tokens".</param>
    /// <param name="writer">stderr unless given.</param>
    /// <param name="isTerminal">Whether the writer is a terminal; found out when null.</param>
    /// <param name="clock">The clock; the system's when null.</param>
    public ProgressReport(string title, long total, string unit, TextWriter? writer = null, bool? isTerminal = null, TimeProvider? clock = null)
    {
        (_title, _total, _unit) = (title, total, unit);
        _writer = writer ?? System.Console.Error;
        _isTerminal = isTerminal ?? (writer is null && Terminal.ErrorIsTerminal);
        _clock = clock ?? TimeProvider.System;
        _start = _clock.GetTimestamp();
        _beat = _clock.CreateTimer(_ => Beat(), null, NoNews, NoNews);
    }

    private TimeSpan Elapsed => _clock.GetElapsedTime(_start);

    /// <summary>So much is done by an earlier run: it counts as done, but not in the rate, which begins here.</summary>
    public void StartFrom(long done)
    {
        lock (_gate) (_done, _before, _since) = (done, done, Elapsed);
    }

    /// <summary>Adds to what is done. Safe from several threads.</summary>
    public void Advance(long amount = 1, string? note = null)
    {
        lock (_gate)
        {
            _done += amount;
            if (note is not null) _note = note;
            TimeSpan now = Elapsed;
            if (_finished || now < Silence || now - _lastTold < (_isTerminal ? RedrawEvery : LineEvery)) return;
            _lastTold = now;
            Tell(now, isLast: false);
        }
    }

    /// <summary>Tells the final line when anything was told before.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_finished) return;
            _finished = true;
            _beat.Dispose();
            if (_lastTold > TimeSpan.Zero) Tell(Elapsed, isLast: true);
        }
    }

    /// <summary>The line without colours, as plain output has it.</summary>
    internal string Line(TimeSpan elapsed, bool isLast)
    {
        double seconds = (elapsed - _since).TotalSeconds, rate = seconds > 0 ? (_done - _before) / seconds : 0;
        List<string> parts = [];
        if (_total > 0)
        {
            double share = Math.Clamp((double)_done / _total, 0, 1);
            if (_isTerminal) parts.Add($"{_title} {Bar(share)} {share * 100,3:0}%");
            else parts.Add(string.Create(CultureInfo.InvariantCulture, $"{_title}: {share * 100:0}%"));
            parts.Add($"{Count(_done)}/{Count(_total)} {_unit}");
        }
        else
        {
            parts.Add($"{_title}: {Count(_done)} {_unit}");
        }

        parts.Add($"{Rate(rate)} {_unit}/s");
        if (isLast) parts.Add($"took {Durations.Of(elapsed)}");
        else if (_total > _done && rate > 0) parts.Add($"{Durations.Of(TimeSpan.FromSeconds((_total - _done) / rate))} left");
        if (_note.Length > 0) parts.Add(_note);
        return string.Join(", ", parts);
    }

    private void Beat()
    {
        lock (_gate)
        {
            TimeSpan now = Elapsed;
            if (_finished || now - _lastTold < NoNews) return;
            _lastTold = now;
            Tell(now, isLast: false);
        }
    }

    private void Tell(TimeSpan now, bool isLast)
    {
        string line = Line(now, isLast);
        if (!_isTerminal)
        {
            _writer.WriteLine(line);
            return;
        }

        int width = Terminal.Width;
        if (line.Length >= width) line = line[..(width - 1)];
        _writer.Write("\r" + line.PadRight(Math.Max(_drawnLength, line.Length)));
        _drawnLength = line.Length;
        if (isLast) _writer.WriteLine();
        _writer.Flush();
    }

    private static string Bar(double share)
    {
        int full = (int)Math.Round(share * BarWidth);
        return new string('█', full) + new string('░', BarWidth - full);
    }

    private static string Count(long n) => n.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', ' ');
    private static string Rate(double r) => r >= 100 ? Count((long)Math.Round(r)) : r.ToString(r >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}

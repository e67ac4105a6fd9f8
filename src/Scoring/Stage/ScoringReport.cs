using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>A scoring run as its user sees it: rows being computed, then written. What an earlier run has computed is in no rate.</summary>
internal sealed class ScoringReport : IDisposable
{
    private readonly long _total;
    private ProgressReport _bar;
    private bool _isWriting;
    private long _rows;
    private long _start = Stopwatch.GetTimestamp();

    /// <param name="total">Rows of the run.</param>
    public ScoringReport(long total)
    {
        _total = total;
        _bar = new ProgressReport("scoring", total, "rows");
    }

    /// <param name="progress">Where the run is.</param>
    /// <param name="tokens">Tokens that models have read in this run.</param>
    public void Tell(ScoringProgress progress, long tokens)
    {
        if (progress.IsWriting != _isWriting)
        {
            _bar.Dispose();
            (_bar, _isWriting, _rows) = (new ProgressReport("writing", _total, "rows"), progress.IsWriting, 0);
        }

        long done = progress.Rows - _rows;
        _rows = progress.Rows;
        if (_isWriting)
        {
            _bar.Advance(done, _rows == _total ? "joining with the input's columns" : null);
            return;
        }

        if (progress.Rows <= progress.Before)
        {
            _bar.StartFrom(progress.Rows);
            _start = Stopwatch.GetTimestamp();
            return;
        }

        double rate = tokens / Stopwatch.GetElapsedTime(_start).TotalSeconds;
        _bar.Advance(done, rate > 0 ? string.Create(CultureInfo.InvariantCulture, $"{rate:0} tokens/s") : null);
    }

    public void Dispose() => _bar.Dispose();
}

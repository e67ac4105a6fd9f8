using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Continuous batching. Decoding rows sit in slots 0 … active − 1. After each step finished rows leave holes; staged prompts' next samples
/// fill them, more prompts are prefilled when the staging slots are used up, and what holes remain are closed by rows from the end.
/// </summary>
internal sealed class OrtScheduler
{
    private readonly PolicyFolder _folder;
    private readonly SamplingOptions _options;
    private readonly OrtEngineOptions _engine;
    private readonly PromptQueue _queue;
    private readonly ITextCodec? _codec;
    private readonly OrderedOutput<Row> _output;
    private readonly RowDrawer _drawer;
    private readonly Row[] _rows;
    private readonly Stack<int> _holes; // smallest on top
    private readonly List<PreparedPrompt> _staged = [];
    private OrtWorkspace _work;
    private int _active;
    private int _stagedAt; // prompt of the next sample
    private int _nextSample;

    public OrtScheduler(
        PolicyFolder folder, OrtWorkspace work, SamplingOptions options, PromptQueue queue, ITextCodec? codec, OrderedOutput<Row> output, OrtEngineOptions engine)
    {
        (_folder, _work, _options, _queue, _codec, _output, _engine) = (folder, work, options, queue, codec, output, engine);
        _drawer = new RowDrawer(folder, options);
        work.Batch.Sampled?.Set(options.Temperature, options.Greedy);
        _rows = new Row[work.Rows];
        _holes = new Stack<int>(work.Rows);
    }

    public GenerationCounts Counts { get; } = new();

    /// <summary>Admits what fits and decodes one token for every row; false when all is done.</summary>
    public bool Step(CancellationToken cancellation)
    {
        try
        {
            if (!Admit(cancellation)) return true;
            CloseHoles();
            if (_active == 0) return false;
            cancellation.ThrowIfCancellationRequested();
            Decode();
            return true;
        }
        catch (OnnxRuntimeException e)
        {
            throw new EngineException($"ONNX Runtime failed while drawing responses: {e.Message} With less memory, use a smaller batch size.", e);
        }
    }

    /// <summary>Takes over the rows in work to larger slots.</summary>
    public void MoveTo(OrtWorkspace larger)
    {
        for (int slot = 0; slot < _active; slot++)
        {
            if (!_holes.Contains(slot)) _work.Cache.Copy(slot, slot, _rows[slot].CacheLength, larger.Cache);
        }

        for (int i = _stagedAt; i < _staged.Count; i++)
        {
            _work.Cache.Copy(_work.Staging + i, larger.Staging + i, _staged[i].Tokens.Length, larger.Cache);
            if (larger.Batch.Sampled is null) _work.Prefill.Logits(i).CopyTo(larger.Prefill.Logits(i));
        }

        larger.Batch.Sampled?.Set(_options.Temperature, _options.Greedy);

        _work = larger;
    }

    /// <summary>Fills free slots. False when the next prompt needs larger slots first.</summary>
    private bool Admit(CancellationToken cancellation)
    {
        while (_active - _holes.Count < _work.Rows)
        {
            if (_stagedAt == _staged.Count)
            {
                if (_queue.Peek() is not { } next) return true;
                if (OrtWorkspace.CapacityFor(_folder, next.Tokens.Length, _options.MaxNewTokens) > _work.Capacity) return false;
                cancellation.ThrowIfCancellationRequested();
                Stage();
            }

            AdmitNextSample();
        }

        return true;
    }

    private void Stage()
    {
        _staged.Clear();
        (_stagedAt, _nextSample) = (0, 0);
        int copies = _engine.SharePrefill ? 1 : _options.SamplesPerPrompt;
        int longest = 0;
        while (_queue.Peek() is { } prompt && _work.Prefill.Fits(_staged.Count, longest = Math.Max(longest, prompt.Tokens.Length)))
        {
            if (OrtWorkspace.CapacityFor(_folder, prompt.Tokens.Length, _options.MaxNewTokens) > _work.Capacity) break;
            _staged.Add(_queue.Take());
        }

        long start = Stopwatch.GetTimestamp();
        long before = _work.Prefill.ComputedTokens;
        for (int copy = 0; copy < copies; copy++) _work.Prefill.Run(_staged);
        Counts.PrefillSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        Counts.PrefillTokens += _work.Prefill.ComputedTokens - before;
        Counts.Prefills += (long)_staged.Count * copies;
    }

    /// <summary>Draws the first token of the staged prompt's next sample and gives it a slot unless that was all.</summary>
    private void AdmitNextSample()
    {
        int staged = _stagedAt;
        PreparedPrompt prompt = _staged[staged];
        Row row = Row.Start(prompt, _nextSample, _options, _folder, _codec);
        if (++_nextSample == _options.SamplesPerPrompt) (_stagedAt, _nextSample) = (_stagedAt + 1, 0);
        if (_work.Batch.Sampled is not null)
        {
            row.CacheLength--; // the prompt's last token is the first step's input
        }
        else
        {
            _drawer.Draw(row, _work.Prefill.Logits(staged));
            if (row.Finished is not null)
            {
                Leave(row);
                return;
            }
        }

        int slot = _holes.Count > 0 ? _holes.Pop() : _active++;
        long start = Stopwatch.GetTimestamp();
        _work.Cache.Copy(_work.Staging + staged, slot, row.CacheLength);
        Counts.PrefillSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        _rows[slot] = row;
    }

    private void CloseHoles()
    {
        if (_holes.Count == 0) return;
        Span<int> holes = stackalloc int[_holes.Count];
        for (int i = 0; _holes.Count > 0; i++) holes[i] = _holes.Pop();
        for (int i = holes.Length - 1; i >= 0; i--) // from the largest: the last row is then never a hole itself
        {
            int last = --_active;
            if (holes[i] == last) continue;
            _work.Cache.Copy(last, holes[i], _rows[last].CacheLength);
            _rows[holes[i]] = _rows[last];
        }
    }

    private void Decode()
    {
        SampledOutput? sampled = _work.Batch.Sampled;
        for (int slot = 0; slot < _active; slot++)
        {
            _work.Batch.Set(slot, _rows[slot].LastToken, _rows[slot].CacheLength + 1);
            sampled?.SetAddress(slot, _drawer.Bits(_rows[slot]));
        }

        long start = Stopwatch.GetTimestamp();
        _work.Batch.Run(_active);
        long computed = Stopwatch.GetTimestamp();
        for (int slot = 0; slot < _active; slot++)
        {
            Row row = _rows[slot];
            row.CacheLength++;
            if (sampled is null) _drawer.Draw(row, _work.Batch.Logits(slot));
            else _drawer.Take(row, sampled[slot]);
        }

        Counts.StepSeconds += Stopwatch.GetElapsedTime(start, computed).TotalSeconds;
        Counts.SamplingSeconds += Stopwatch.GetElapsedTime(computed).TotalSeconds;
        Counts.Steps++;
        Counts.RowSteps += _active;
        for (int slot = _active - 1; slot >= 0; slot--)
        {
            if (_rows[slot].Finished is null) continue;
            Leave(_rows[slot]);
            _holes.Push(slot);
        }
    }

    private void Leave(Row row)
    {
        row.Text?.Dispose();
        row.Trim();
        Counts.Responses++;
        Counts.Tokens += row.Count;
        _output.Add((row.Prompt.Index * _options.SamplesPerPrompt) + row.Sample, row);
    }
}

using System.Globalization;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// What an evaluation found: one row of <c>NAME.metrics.jsonl</c> under the names of the metric catalogue (<c>iteration</c> counts optimiser
/// steps), and one line of text. Between two evaluations a terminal shows how far the training is.
/// </summary>
public sealed class TrainingLog : IDisposable
{
    private readonly MetricsWriter _writer;
    private readonly long _steps;
    private ProgressReport? _bar;
    private long _done;

    /// <param name="folder">Made when missing.</param>
    /// <param name="name">"sft" or "reward-model".</param>
    /// <param name="steps">Steps of the whole training.</param>
    /// <param name="keepThrough">Step up to which an earlier log of the name is kept; null: it is replaced.</param>
    public TrainingLog(string folder, string name, long steps, long? keepThrough = null)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, $"{name}.metrics.jsonl");
        if (keepThrough is null) File.Delete(path);
        _writer = new MetricsWriter(path, (int?)keepThrough);
        (_steps, _done) = (steps, keepThrough ?? 0);
    }

    /// <summary>One optimiser step is done.</summary>
    public void Advance(double loss)
    {
        _done++;
        if (!Terminal.ErrorIsTerminal) return; // a log file gets the evaluations
        if (_bar is null)
        {
            _bar = new ProgressReport("training", _steps, "steps");
            _bar.Advance(_done - 1);
        }

        _bar.Advance(1, string.Create(CultureInfo.InvariantCulture, $"loss {loss:F3}"));
    }

    /// <summary>Writes a row.</summary>
    /// <param name="title">How the line of text begins.</param>
    /// <param name="ending">How it ends: what only people read.</param>
    /// <param name="values">Of the catalogue.</param>
    public void Row(string title, string ending, params (string Name, double Value)[] values)
    {
        _bar?.Dispose();
        _bar = null;
        _writer.Write((int)_done, values.ToDictionary(v => v.Name, v => v.Value));
        var text = new StringBuilder(title);
        foreach ((string name, double value) in values) text.Append(CultureInfo.InvariantCulture, $"   {name} {value:G5}");
        if (ending.Length > 0) text.Append("   ").Append(ending);
        Console.WriteLine(text);
    }

    public void Dispose()
    {
        _bar?.Dispose();
        _writer.Dispose();
    }
}

using System.Globalization;

namespace Rlhf.Core;

/// <summary>One column of the <see cref="IterationTable"/>: a metric, its short title and how many digits it needs.</summary>
public sealed record IterationColumn(string Title, string Metric, string Format = "0.000", int Width = 8);

/// <summary>One row an iteration, printed as it comes; the header again every 20 rows.</summary>
public sealed class IterationTable(IReadOnlyList<IterationColumn> columns, TextWriter? writer = null)
{
    private const int RowsPerHeader = 20;

    private readonly TextWriter _writer = writer ?? System.Console.Out;
    private int _rows;

    /// <summary>The columns of the loop.</summary>
    public static IReadOnlyList<IterationColumn> Default { get; } =
    [
        new("score", "score/mean"), new("reward", "reward/mean"), new("kl/token", "kl/k3_per_token", "0.0000"), new("kl coef", "kl/coefficient", "0.0000"),
        new("entropy", "entropy"), new("clipped", "policy/clip_fraction"), new("expl.var", "value/explained_variance", "0.00"),
        new("length", "rollout/length_mean", "0.0"), new("gen tok/s", "time/generation_tokens_per_second", "0", 9), new("train tok/s", "time/optimization_tokens_per_second", "0", 11),
        new("gen s", "time/generation_seconds", "0.0", 6), new("score s", "time/scoring_seconds", "0.0", 7), new("train s", "time/optimization_seconds", "0.0", 7), new("export s", "time/export_seconds", "0.0", 8),
    ];

    /// <summary>Prints the row; a metric that was not measured is "–".</summary>
    public void Print(int iteration, IReadOnlyDictionary<string, double> metrics)
    {
        if (_rows++ % RowsPerHeader == 0)
        {
            string header = "  iter " + string.Join(" ", columns.Select(c => c.Title.PadLeft(Width(c))));
            _writer.WriteLine(header);
            _writer.WriteLine(new string('─', header.Length));
        }

        _writer.WriteLine(iteration.ToString(CultureInfo.InvariantCulture).PadLeft(6) + " " + string.Join(" ", columns.Select(c => Cell(c, metrics).PadLeft(Width(c)))));
        _writer.Flush();
    }

    private static int Width(IterationColumn column) => Math.Max(column.Width, column.Title.Length);

    private static string Cell(IterationColumn column, IReadOnlyDictionary<string, double> metrics) =>
        metrics.TryGetValue(column.Metric, out double value) ? value.ToString(column.Format, CultureInfo.InvariantCulture) : "–";
}

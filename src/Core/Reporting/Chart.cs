using System.Globalization;
using System.Net;
using System.Text;

namespace Rlhf.Core;

/// <summary>One line (or one layer of a stack) of a chart.</summary>
/// <param name="Label">In the legend.</param>
/// <param name="Metric">The metric's name.</param>
/// <param name="SpreadMetric">A standard deviation drawn as a band around the line, or null.</param>
internal sealed record ChartSeries(string Label, string Metric, string? SpreadMetric = null);

/// <summary>A chart over iterations as inline SVG: lines, or stacked bars. Colours come from the page's style sheet.</summary>
internal sealed record Chart(string Title, string Unit, IReadOnlyList<ChartSeries> Series)
{
    private const double Width = 420, Height = 230, Left = 46, Right = 10, Top = 10, Bottom = 26;
    private const int MostPointsWithDots = 40, MostHoverColumns = 120;

    public bool IsStacked { get; init; }

    /// <summary>The axis begins at 0: for sizes, so that heights can be compared.</summary>
    public bool FromZero { get; init; }

    /// <summary>What one unit of the axis is in units of the metric: 1048576 to show bytes as MiB.</summary>
    public double Divisor { get; init; } = 1;

    /// <summary>The axis spans at least this range: for shares.</summary>
    public (double Low, double High)? AtLeast { get; init; }

    /// <summary>The chart, or null when none of its metrics was logged.</summary>
    public string? ToHtml(IReadOnlyList<MetricRow> rows, MetricCatalogue catalogue)
    {
        ChartSeries[] present = [.. Series.Where(s => rows.Any(r => r.Values.TryGetValue(s.Metric, out double v) && double.IsFinite(v)))];
        if (present.Length == 0) return null;
        ChartScale x = ChartScale.ForIterations(rows.Min(r => r.Iteration), rows.Max(r => r.Iteration));
        ChartScale y = ValueScale(present, rows);
        StringBuilder html = new();
        html.Append($"<figure class=\"card chart\"><figcaption><h3>{E(Title)}</h3>{(Unit.Length > 0 ? $"<span class=\"unit\">{E(Unit)}</span>" : "")}</figcaption>");
        if (present.Length > 1 || present.Any(s => s.SpreadMetric is not null)) html.Append(Legend(present, rows));
        html.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{E(Describe(present, rows))}\">");
        Grid(html, x, y);
        if (IsStacked) Bars(html, present, rows, x, y);
        else for (int i = 0; i < present.Length; i++) Line(html, present[i], i, rows, x, y);
        Hover(html, present, rows, x);
        html.Append("</svg>").Append(Help(present, catalogue)).Append("</figure>");
        return html.ToString();
    }

    private ChartScale ValueScale(ChartSeries[] present, IReadOnlyList<MetricRow> rows)
    {
        List<double> all = [];
        foreach (MetricRow row in rows)
        {
            if (IsStacked)
            {
                all.Add(present.Sum(s => Math.Max(0, Value(row, s.Metric) ?? 0)));
                continue;
            }

            foreach (ChartSeries series in present)
            {
                if (Value(row, series.Metric) is not { } v) continue;
                double spread = series.SpreadMetric is null ? 0 : Value(row, series.SpreadMetric) ?? 0;
                all.AddRange([v - spread, v + spread]);
            }
        }

        double low = all.Min(), high = all.Max();
        if (AtLeast is { } range) (low, high) = (Math.Min(low, range.Low), Math.Max(high, range.High));
        return ChartScale.ForValues(low, high, fromZero: FromZero || IsStacked);
    }

    private void Grid(StringBuilder svg, ChartScale x, ChartScale y)
    {
        svg.Append("<g class=\"grid\">");
        foreach (double tick in y.Ticks)
            svg.Append($"<line{(tick == 0 && y.Low < 0 ? " class=\"zero\"" : "")} x1=\"{C(Left)}\" x2=\"{C(Width - Right)}\" y1=\"{C(Y(y, tick))}\" y2=\"{C(Y(y, tick))}\"/><text x=\"{C(Left - 6)}\" y=\"{C(Y(y, tick) + 4)}\" text-anchor=\"end\">{ReportNumbers.Of(Round(tick))}</text>");
        foreach (double tick in x.Ticks)
            svg.Append($"<text x=\"{C(IsStacked ? Centre(x, tick) : X(x, tick))}\" y=\"{C(Height - 8)}\" text-anchor=\"middle\">{ReportNumbers.Of(tick)}</text>");
        svg.Append($"<text x=\"2\" y=\"{C(Height - 8)}\">iter.</text></g>");
    }

    private void Line(StringBuilder svg, ChartSeries series, int colour, IReadOnlyList<MetricRow> rows, ChartScale x, ChartScale y)
    {
        // A row without a finite value breaks the line: a gap is information.
        foreach (List<(double X, double Y, double Spread)> run in Runs(series, rows))
        {
            if (series.SpreadMetric is not null && run.Count > 1)
            {
                IEnumerable<string> upper = run.Select(p => $"{C(X(x, p.X))} {C(Y(y, p.Y + p.Spread))}");
                IEnumerable<string> lower = run.AsEnumerable().Reverse().Select(p => $"{C(X(x, p.X))} {C(Y(y, p.Y - p.Spread))}");
                svg.Append($"<path class=\"band c{colour}\" d=\"M{string.Join('L', upper.Concat(lower))}Z\"/>");
            }

            if (run.Count > 1) svg.Append($"<path class=\"line c{colour}\" d=\"M{string.Join('L', run.Select(p => $"{C(X(x, p.X))} {C(Y(y, p.Y))}"))}\"/>");
            if (rows.Count > MostPointsWithDots && run.Count > 1) continue;
            foreach ((double px, double py, _) in run) svg.Append($"<circle class=\"dot c{colour}\" cx=\"{C(X(x, px))}\" cy=\"{C(Y(y, py))}\" r=\"2.5\"/>");
        }
    }

    private List<List<(double X, double Y, double Spread)>> Runs(ChartSeries series, IReadOnlyList<MetricRow> rows)
    {
        List<List<(double, double, double)>> runs = [];
        bool isOpen = false;
        foreach (MetricRow row in rows)
        {
            if (!row.Values.ContainsKey(series.Metric)) continue; // measured only every few iterations: the line goes on
            if (Value(row, series.Metric) is not { } value)
            {
                isOpen = false;
                continue;
            }

            if (!isOpen) runs.Add([]);
            isOpen = true;
            runs[^1].Add((row.Iteration, value, series.SpreadMetric is null ? 0 : Value(row, series.SpreadMetric) ?? 0));
        }

        return runs;
    }

    private void Bars(StringBuilder svg, ChartSeries[] present, IReadOnlyList<MetricRow> rows, ChartScale x, ChartScale y)
    {
        double width = Math.Max(0.8, Slot(x) * 0.78);
        foreach (MetricRow row in rows)
        {
            double below = 0;
            double centre = Centre(x, row.Iteration);
            for (int i = 0; i < present.Length; i++)
            {
                double value = Math.Max(0, Value(row, present[i].Metric) ?? 0);
                if (value == 0) continue;
                double top = Y(y, below + value);
                svg.Append($"<rect class=\"bar c{i}\" x=\"{C(centre - (width / 2))}\" width=\"{C(width)}\" y=\"{C(top)}\" height=\"{C(Math.Max(0.3, Y(y, below) - top))}\"/>");
                below += value;
            }
        }
    }

    /// <summary>One invisible column an iteration that carries the values; the script shows them, browsers without it show the title.</summary>
    private void Hover(StringBuilder svg, ChartSeries[] present, IReadOnlyList<MetricRow> rows, ChartScale x)
    {
        int every = Math.Max(1, (rows.Count + MostHoverColumns - 1) / MostHoverColumns);
        MetricRow[] shown = [.. rows.Where((_, i) => i % every == 0)];
        double slot = (Width - Left - Right) / Math.Max(1, shown.Length);
        foreach (MetricRow row in shown)
        {
            string values = string.Concat(present.Where(s => row.Values.ContainsKey(s.Metric)).Select(s => $"\n{s.Label}: {ReportNumbers.Of(row.Values[s.Metric] / Divisor)}"));
            double centre = IsStacked ? Centre(x, row.Iteration) : X(x, row.Iteration);
            double from = Math.Max(Left, centre - (slot / 2)), to = Math.Min(Width - Right, centre + (slot / 2));
            svg.Append($"<g class=\"hit\"><rect x=\"{C(from)}\" width=\"{C(Math.Max(0.5, to - from))}\" y=\"{C(Top)}\" height=\"{C(Height - Top - Bottom)}\"/><line x1=\"{C(centre)}\" x2=\"{C(centre)}\" y1=\"{C(Top)}\" y2=\"{C(Height - Bottom)}\"/><title>{E($"Iteration {row.Iteration}{values}")}</title></g>");
        }
    }

    private string Legend(ChartSeries[] present, IReadOnlyList<MetricRow> rows)
    {
        StringBuilder html = new("<ul class=\"legend\">");
        for (int i = 0; i < present.Length; i++)
        {
            ChartSeries series = present[i];
            string spread = series.SpreadMetric is { } metric && rows.Any(r => r.Values.ContainsKey(metric)) ? " ± std" : "";
            html.Append($"<li><i class=\"c{i}\"></i>{E(series.Label + spread)}</li>");
        }

        return html.Append("</ul>").ToString();
    }

    private static string Help(ChartSeries[] present, MetricCatalogue catalogue)
    {
        StringBuilder html = new("<details><summary>How it is computed, and what to look for</summary><dl>");
        foreach (ChartSeries series in present)
        {
            MetricDefinition metric = catalogue.Get(series.Metric);
            html.Append($"<dt><code>{E(series.Metric)}</code></dt><dd>{E(metric.Formula)}.{(metric.WhatIsBad == "–" ? "" : $" <em>{E(metric.WhatIsBad)}</em>")}</dd>");
        }

        return html.Append("</dl></details>").ToString();
    }

    private string Describe(ChartSeries[] present, IReadOnlyList<MetricRow> rows) => $"{Title}: " + string.Join("; ", present.Select(s =>
    {
        double[] values = [.. rows.Select(r => Value(r, s.Metric)).OfType<double>()];
        return $"{s.Label} from {ReportNumbers.Of(values[0])} to {ReportNumbers.Of(values[^1])}";
    }));

    private double? Value(MetricRow row, string metric) => row.Values.TryGetValue(metric, out double value) && double.IsFinite(value) ? value / Divisor : null;

    // Bars need half a slot of room at both ends, lines do not.
    private static double Slot(ChartScale x) => (Width - Left - Right) / (x.High - x.Low + 1);
    private static double Centre(ChartScale x, double value) => Left + ((value - x.Low + 0.5) * Slot(x));
    private static double X(ChartScale x, double value) => Left + (x.Place(value) * (Width - Left - Right));
    private static double Y(ChartScale y, double value) => Height - Bottom - (y.Place(value) * (Height - Top - Bottom));
    private static double Round(double tick) => Math.Abs(tick) < 1e-12 ? 0 : tick;
    private static string C(double value) => ReportNumbers.Coordinate(value);
    private static string E(string text) => WebUtility.HtmlEncode(text);
}

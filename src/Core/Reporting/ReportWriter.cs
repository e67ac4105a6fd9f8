using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;

namespace Rlhf.Core;

/// <summary>
/// Writes the report of a run as one HTML file: no network, no fonts, nothing beside it; light and dark, readable on a phone and without
/// scripts. Every text is escaped, since prompts, responses and configurations may come from strangers.
/// </summary>
public static class ReportWriter
{
    /// <summary>Of the table of all numbers; a page of a thousand iterations stays light.</summary>
    private const int MostColumns = 100;

    /// <summary>Writes the file whole.</summary>
    /// <exception cref="BadDataException">It cannot be written.</exception>
    public static void Write(string path, ReportData data, MetricCatalogue? catalogue = null) => WholeFile.WriteAllText(path, ToHtml(data, catalogue));

    /// <summary>The page.</summary>
    public static string ToHtml(ReportData data, MetricCatalogue? catalogue = null)
    {
        StringBuilder html = new();
        html.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.Append($"<meta name=\"color-scheme\" content=\"light dark\">\n<title>{E(data.Title)}</title>\n<style>\n{Resource("report.css")}</style>\n</head>\n<body>\n<main>\n");
        Header(html, data);
        Warnings(html, data.Warnings);
        Outcomes(html, data.Outcomes);
        Artifacts(html, data.Artifacts);
        Samples(html, data);
        Charts(html, data.Metrics, catalogue ?? MetricCatalogue.Default);
        Numbers(html, data.Metrics, catalogue ?? MetricCatalogue.Default);
        Reproduction(html, data);
        html.Append("</main>\n<footer>Made by Rlhf.Onnx. One file: nothing is loaded from elsewhere.</footer>\n<div id=\"tip\" hidden></div>\n");
        html.Append($"<script>\n{Resource("report.js")}</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private static void Header(StringBuilder html, ReportData data)
    {
        html.Append($"<header><h1>{E(data.Title)}</h1>");
        if (data.Summary.Length > 0) html.Append($"<p class=\"summary\">{E(data.Summary)}</p>");
        if (data.Facts.Count > 0) html.Append($"<ul class=\"facts\">{string.Concat(data.Facts.Select(f => $"<li>{E(f)}</li>"))}</ul>");
        html.Append("</header>\n");
    }

    private static void Warnings(StringBuilder html, IReadOnlyList<string> warnings)
    {
        if (warnings.Count == 0) return;
        string heading = warnings.Count == 1 ? "1 warning" : string.Create(CultureInfo.InvariantCulture, $"{warnings.Count} warnings");
        html.Append($"<section class=\"warnings\" role=\"note\"><h2>{heading}</h2><ul>{string.Concat(warnings.Select(w => $"<li>{E(w)}</li>"))}</ul></section>\n");
    }

    private static void Outcomes(StringBuilder html, IReadOnlyList<ReportOutcome> outcomes)
    {
        if (outcomes.Count == 0) return;
        ReportOutcome[] headlines = [.. outcomes.Where(o => o.IsHeadline)];
        if (headlines.Length > 0)
        {
            html.Append("<section class=\"headlines\" aria-label=\"Main results\">");
            foreach (ReportOutcome o in headlines)
            {
                string from = o.Before is null ? "" : $"<span class=\"from\">from {ReportNumbers.Of(o.Before)}</span>";
                html.Append($"<div class=\"card headline\"><span class=\"name\">{E(o.Name)}</span><span class=\"value {Judge(o)}\">{ReportNumbers.Of(o.After)}{Unit(o.Unit)}</span>{from}</div>");
            }

            html.Append("</section>\n");
        }

        html.Append("<section><h2>Before and after</h2><div class=\"card scroll\"><table><thead><tr><th>measure</th><th class=\"number\">before</th><th class=\"number\">after</th><th class=\"number\">difference</th></tr></thead><tbody>");
        foreach (ReportOutcome o in outcomes)
        {
            string difference = o is { Before: { } b, After: { } a } ? ReportNumbers.Difference(a - b) : "";
            string note = o.Note.Length == 0 ? "" : $"<span class=\"what\">{E(o.Note)}</span>";
            html.Append($"<tr><th scope=\"row\">{E(o.Name)}{Unit(o.Unit)}{note}</th><td class=\"number\">{ReportNumbers.Of(o.Before)}</td><td class=\"number\">{ReportNumbers.Of(o.After)}</td><td class=\"number {Judge(o)}\">{difference}</td></tr>");
        }

        html.Append("</tbody></table></div></section>\n");
    }

    private static void Artifacts(StringBuilder html, IReadOnlyList<KeyValuePair<string, string>> artifacts)
    {
        if (artifacts.Count == 0) return;
        html.Append($"<section><h2>What you have now</h2><div class=\"card\"><dl class=\"pairs\">{Pairs(artifacts)}</dl></div></section>\n");
    }

    private static void Samples(StringBuilder html, ReportData data)
    {
        if (data.Samples.Count == 0) return;
        html.Append("<section><h2>Responses before and after</h2>");
        if (data.SamplesNote.Length > 0) html.Append($"<p class=\"note\">{E(data.SamplesNote)}</p>");
        foreach (ReportSample sample in data.Samples)
        {
            html.Append($"<article class=\"card sample\"><p class=\"prompt\"><span class=\"label\">prompt</span>{E(sample.Prompt)}</p><div class=\"pair\">");
            Response(html, "before", sample.Before);
            Response(html, "after", sample.After);
            html.Append("</div></article>");
        }

        html.Append("</section>\n");
    }

    private static void Response(StringBuilder html, string when, ReportResponse? response)
    {
        html.Append($"<div class=\"response {when}\"><p class=\"head\"><span class=\"label\">{when}</span>");
        if (response is null)
        {
            html.Append("</p><p class=\"note\">not drawn</p></div>");
            return;
        }

        if (response.Score is { } score) html.Append($"<span class=\"score\">score <b>{ReportNumbers.Of(score)}</b></span>");
        foreach ((string name, double value) in (response.Rewards ?? new Dictionary<string, double>()).OrderBy(p => p.Key, StringComparer.Ordinal))
            html.Append($"<span class=\"chip\">{E(name)} {ReportNumbers.Of(value)}</span>");
        if (response.FinishReason == "length") html.Append("<span class=\"chip\" title=\"The response reached the token limit\">cut off</span>");
        string text = response.Text.Length == 0 ? "<span class=\"note\">(empty)</span>" : E(response.Text.TrimStart(' '));
        html.Append($"</p><p class=\"text\">{text}</p></div>");
    }

    private static void Charts(StringBuilder html, IReadOnlyList<MetricRow> rows, MetricCatalogue catalogue)
    {
        if (rows.Count == 0) return;
        foreach ((string heading, IReadOnlyList<Chart> charts) in ReportCharts.For(rows))
        {
            string all = string.Concat(charts.Select(c => c.ToHtml(rows, catalogue)));
            if (all.Length > 0) html.Append($"<section><h2>{E(heading)}</h2><div class=\"charts\">{all}</div></section>\n");
        }
    }

    private static void Numbers(StringBuilder html, IReadOnlyList<MetricRow> rows, MetricCatalogue catalogue)
    {
        if (rows.Count == 0) return;
        string[] names = [.. rows.SelectMany(r => r.Values.Keys).Distinct().OrderBy(catalogue.OrderOf).ThenBy(n => n, StringComparer.Ordinal)];
        int every = (rows.Count + MostColumns - 1) / MostColumns;
        string which = every == 1 ? "every iteration" : string.Create(CultureInfo.InvariantCulture, $"every {every}th iteration (all are in metrics.jsonl)");
        rows = [.. rows.Where((_, i) => i % every == 0 || i == rows.Count - 1)];
        html.Append($"<section><h2>All numbers</h2><details class=\"card\"><summary>Every metric of {which}</summary><div class=\"scroll\"><table class=\"dense\"><thead><tr><th>metric</th>");
        html.Append(string.Concat(rows.Select(r => string.Create(CultureInfo.InvariantCulture, $"<th class=\"number\">{r.Iteration}</th>")))).Append("</tr></thead><tbody>");
        foreach (string name in names)
            html.Append($"<tr><th scope=\"row\"><code>{E(name)}</code></th>{string.Concat(rows.Select(r => $"<td class=\"number\">{(r.Values.TryGetValue(name, out double v) ? ReportNumbers.Of(v) : "")}</td>"))}</tr>");
        html.Append("</tbody></table></div></details></section>\n");
    }

    private static void Reproduction(StringBuilder html, ReportData data)
    {
        if (data.Environment.Count == 0 && data.ConfigYaml.Length == 0) return;
        html.Append("<section><h2>How to get it again</h2>");
        if (data.Environment.Count > 0) html.Append($"<details class=\"card\" open><summary>Environment</summary><dl class=\"pairs\">{Pairs(data.Environment)}</dl></details>");
        if (data.ConfigYaml.Length > 0) html.Append($"<details class=\"card\"><summary>Configuration, all values resolved</summary><pre>{E(data.ConfigYaml)}</pre></details>");
        html.Append("</section>\n");
    }

    private static string Pairs(IEnumerable<KeyValuePair<string, string>> pairs) => string.Concat(pairs.Select(p => $"<div><dt>{E(p.Key)}</dt><dd><code>{E(p.Value)}</code></dd></div>"));

    private static string Judge(ReportOutcome o)
    {
        if (o.Better == Better.Neither || o is not { Before: { } before, After: { } after } || before == after) return "neutral";
        return after > before == (o.Better == Better.Higher) ? "good" : "bad";
    }

    private static string Unit(string unit) => unit.Length == 0 ? "" : $" <small>{E(unit)}</small>";
    private static string E(string text) => WebUtility.HtmlEncode(text);

    private static string Resource(string name)
    {
        Assembly assembly = typeof(ReportWriter).Assembly;
        using Stream stream = assembly.GetManifestResourceStream($"Rlhf.Core.Reporting.{name}") ?? throw new InvalidOperationException($"The resource {name} is not in the assembly.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}

using System.Globalization;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>One method over its seeds.</summary>
internal sealed record SentimentRow(string Config, string Title, IReadOnlyList<SentimentResult> Runs)
{
    private IEnumerable<SentimentResult> Finished => Runs.Where(r => r.Diverged.Length == 0);

    public bool Diverged => Runs.Any(r => r.Diverged.Length > 0);

    public double Mean(Func<SentimentResult, double> of) => Finished.Any() ? Finished.Average(of) : double.NaN;

    /// <summary>"0.912" or, with several seeds, "0.912 ± 0.004" (sample standard deviation).</summary>
    public string Text(Func<SentimentResult, double> of, string format)
    {
        double[] values = [.. Finished.Select(of)];
        if (values.Length == 0) return "–";
        string mean = values.Average().ToString(format, CultureInfo.InvariantCulture);
        if (values.Length == 1) return mean;
        double centre = values.Average(), spread = Math.Sqrt(values.Sum(v => (v - centre) * (v - centre)) / (values.Length - 1));
        return $"{mean} ± {spread.ToString(format, CultureInfo.InvariantCulture)}";
    }
}

/// <summary>Table, ratio histogram and plot of <see cref="SentimentBench"/>.</summary>
internal static class SentimentReport
{
    private static readonly CultureInfo C = CultureInfo.InvariantCulture;

    /// <summary>Best P(positive) first.</summary>
    public static IReadOnlyList<SentimentRow> Rows(IEnumerable<SentimentResult> results) =>
    [
        .. results.GroupBy(r => r.Config, StringComparer.Ordinal).Select(g => new SentimentRow(g.Key, g.Key.Replace('_', ' '), [.. g]))
            .OrderByDescending(r => double.IsNaN(r.Mean(x => x.Positive)) ? -1 : r.Mean(x => x.Positive)),
    ];

    public static readonly string[] Columns = ["#", "configuration", "P(positive)", "KL, nats/token", "distinct-2", "length", "tokens drawn", "steps", "clipped", "largest ratio", "s"];

    public static string[] Cells(SentimentRow row, int number) =>
    [
        number.ToString(C), row.Config + (row.Diverged ? " (diverged)" : ""), row.Text(r => r.Positive, "0.000"), row.Text(r => r.KlPerToken, "0.000"), row.Text(r => r.Distinct2, "0.00"),
        row.Text(r => r.Length, "0.0"), row.Mean(r => r.TokensDrawn).ToString("N0", C), row.Mean(r => r.Updates).ToString("0", C), row.Mean(r => r.ClipFraction).ToString("0.00", C),
        row.Mean(r => r.RatioMax).ToString("0.0", C), row.Mean(r => r.Seconds).ToString("0", C),
    ];

    public static string ToMarkdown(IReadOnlyList<SentimentRow> rows, SentimentBench bench) => $"# Sentiment\n\n{Note(rows, bench)}\n\n{Table(rows).ToMarkdown()}";

    public static AlgorithmTable Table(IReadOnlyList<SentimentRow> rows) => new("sentiment", Columns, [.. rows.Select((r, i) => Cells(r, i + 1))], rows.SelectMany(r => r.Runs));

    /// <summary>What the table is, the plot, and whether PPO with 4 epochs is stable.</summary>
    public static string Note(IReadOnlyList<SentimentRow> rows, SentimentBench bench)
    {
        var text = new StringBuilder();
        double before = rows.SelectMany(r => r.Runs).Where(r => r.Diverged.Length == 0).Select(r => r.PositiveBefore).DefaultIfEmpty(double.NaN).Average();
        text.Append(C, $"Written by `rlhf bench sentiment --seeds {bench.Seeds}{(bench.Only.Count > 0 ? $" --only {string.Join(' ', bench.Only)}" : "")}{string.Concat(bench.Set.Select(s => $" --set {s}"))}`: mean P(positive) and KL to the reference (k3) on held-out prompts after training, ");
        text.Append(C, $"the same number of sampled responses for each. The untrained policy has P(positive) {before:0.000}. Seconds hang on the machine.\n\n![P(positive) against KL](sentiment.svg)\n");
        if (rows.FirstOrDefault(r => r.Config == "ppo" && !r.Diverged) is { } ppo) text.Append(Stability(ppo));
        foreach (SentimentResult run in rows.SelectMany(r => r.Runs).Where(r => r.Diverged.Length > 0)) text.Append(C, $"\n{run.Config}, seed {run.Seed}, diverged: {run.Diverged}\n");
        return text.ToString().TrimEnd();
    }

    private static string Stability(SentimentRow ppo)
    {
        var text = new StringBuilder(string.Create(C, $"\nPPO with 4 epochs: mean over iterations of the share of tokens whose clip took effect: {ppo.Mean(r => r.ClipFraction):0.000}; largest ratio of the run {ppo.Mean(r => r.RatioMax):0.0}. Ratios π/π_old of all tokens and steps:\n\n```text\n"));
        string[] bins = [.. ppo.Runs[0].RatioShares.Keys];
        for (int i = 0; i < bins.Length; i++)
        {
            double share = ppo.Mean(r => r.RatioShares.GetValueOrDefault(bins[i]));
            string range = i + 1 < bins.Length ? $"{bins[i]} – {bins[i + 1]}" : $"from {bins[i]}";
            text.Append(C, $"{range,-13} {share,7:P2} {new string('█', (int)Math.Round(share * 60))}\n");
        }

        return text.Append("```\n").ToString();
    }
}

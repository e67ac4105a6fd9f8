using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench sentiment</c>: every online method on the shipped models; table and plot of reward against KL.</summary>
public static class BenchSentimentCommand
{
    public static Command Create()
    {
        Option<string> folder = new("--out") { Description = "Where runs, sentiment.md and sentiment.svg go. The same command goes on where it was stopped.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "bench-sentiment") };
        Option<string[]> only = new("--only") { Description = "Only these configurations of configs/methods; repeatable.", HelpName = "NAME", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
        Option<int> seeds = new("--seeds") { Description = "Seeds 1 … N.", HelpName = "N", DefaultValueFactory = _ => 1 };
        Option<string?> write = new("--write") { Description = "Also put the table into this Markdown file, between '<!-- results: sentiment -->' and '<!-- end -->', and sentiment.svg beside it.", HelpName = "FILE" };
        Command command = new("sentiment", "Every online method on the shipped models with the same budget of sampled tokens: P(positive) and KL on held-out prompts.") { folder, only, seeds, write };
        CommonOptions.AddTo(command, Offered.Set | Offered.DryRun);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            var bench = new SentimentBench(parsed.GetValue(folder)!, parsed.GetValue(only)!, Math.Max(1, parsed.GetValue(seeds)), common.Set);
            if (common.DryRun)
            {
                bench.Check();
                System.Console.WriteLine($"would run {string.Join(", ", bench.Configurations)}, {bench.Seeds} seed(s) each → {bench.Folder}");
                return Task.FromResult((int)ExitCode.Done);
            }

            IReadOnlyList<SentimentRow> rows = SentimentReport.Rows(bench.Run(Log.Info, cancellation));
            var table = new ConsoleTable(SentimentReport.Columns) { Title = "held-out prompts, best P(positive) first" };
            for (int i = 0; i < rows.Count; i++) table.Add(SentimentReport.Cells(rows[i], i + 1));
            table.Print();
            Directory.CreateDirectory(bench.Folder);
            WholeFile.WriteAllText(Path.Combine(bench.Folder, "sentiment.md"), SentimentReport.ToMarkdown(rows, bench));
            Plot(bench.Folder, rows);
            if (parsed.GetValue(write) is { } document)
            {
                WholeFile.WriteAllText(document, SentimentReport.Table(rows).PutInto(File.ReadAllText(document), document, SentimentReport.Note(rows, bench)));
                Plot(Path.GetDirectoryName(Path.GetFullPath(document))!, rows);
            }

            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static void Plot(string folder, IReadOnlyList<SentimentRow> rows)
    {
        SentimentRow[] shown = [.. rows.Where(r => !double.IsNaN(r.Mean(x => x.Positive)))];
        if (shown.Length == 0) return;
        string svg = RewardKlPlot.ToSvg(
            [.. shown.Select(r => new PlotPoint(r.Config, r.Mean(x => x.KlPerToken), r.Mean(x => x.Positive)))], new PlotPoint("start", 0, shown.Average(r => r.Mean(x => x.PositiveBefore))));
        WholeFile.WriteAllText(Path.Combine(folder, "sentiment.svg"), svg);
        System.Console.WriteLine($"written: {Path.Combine(folder, "sentiment.svg")}");
    }
}

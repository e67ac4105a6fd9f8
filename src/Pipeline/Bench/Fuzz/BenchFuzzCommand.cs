using System.CommandLine;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench fuzz</c>.</summary>
public static class BenchFuzzCommand
{
    public static Command Create()
    {
        Option<ulong> seed = new("--seed") { Description = "Of the mutations.", HelpName = "S", DefaultValueFactory = _ => 1 };
        Option<int> count = new("--count") { Description = "Mutations over all parsers.", HelpName = "N", DefaultValueFactory = _ => 2000 };
        Option<uint> first = new("--first") { Description = "Number of the first mutation: makes a finding again.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<string> only = new("--only") { Description = "Only parsers whose name contains this.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Option<string?> worker = new("--worker") { Description = "Folder of a corpus: be the process that tries the mutations.", HelpName = "DIR", Hidden = true };
        Option<string?> folder = RobustnessCommands.Folder();
        Command command = new("fuzz", "Damaged inputs (bit flips, cut ends, sizes that lie) over every parser: each must end in the right result or a typed error, in 5 s and 1 GB.") { seed, count, first, only, worker, folder };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, _) =>
        {
            if (parsed.GetValue(worker) is { } corpus)
            {
                FuzzWorker.Run(corpus, parsed.GetValue(seed), parsed.GetValue(first), parsed.GetValue(first) + (uint)parsed.GetValue(count), parsed.GetValue(only)!, System.Console.Out);
                return Task.FromResult((int)ExitCode.Done);
            }

            using RobustnessCommands.Workplace place = new(parsed.GetValue(folder), "fuzz");
            FuzzResult result = BenchFuzz.Run(place.Path, parsed.GetValue(seed), parsed.GetValue(count), parsed.GetValue(first), parsed.GetValue(only)!);
            CultureInfo c = CultureInfo.InvariantCulture;
            ConsoleTable table = new("parser", "read", "refused", "bad", "slowest ms");
            foreach (FuzzRow row in result.Rows) table.Add(row.Target, row.Read.ToString(c), row.Refused.ToString(c), row.Bad.ToString(c), row.SlowestMilliseconds.ToString("0", c));
            table.Print();
            System.Console.WriteLine(string.Create(c, $"{result.Rows.Sum(r => r.Read + r.Refused + r.Bad)} mutations in {result.Seconds:0} s; peak memory of a worker {result.PeakMegabytes:0} MB; {result.Findings.Count} findings"));
            foreach (string finding in result.Findings) System.Console.WriteLine($"  {finding}");
            return Task.FromResult(result.Findings.Count == 0 ? (int)ExitCode.Done : CommandHost.UnexpectedFailure);
        });
        return command;
    }
}

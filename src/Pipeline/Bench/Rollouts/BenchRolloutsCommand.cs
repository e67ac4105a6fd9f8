using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench rollouts</c>.</summary>
public static class BenchRolloutsCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static Command Create()
    {
        Option<int> repeats = new("--repeats") { Description = "Repetitions; medians are told.", HelpName = "N", DefaultValueFactory = _ => 5 };
        Option<int> threads = new("--threads") { Description = "Threads of our engine; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<int> genaiThreads = new("--genai-threads") { Description = "Threads of GenAI; 0: as it chooses, which is one on some machines.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<string> only = new("--only") { Description = "Only cases whose name contains this.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Option<int> longRun = new("--long-run", "--long") { Description = "Responses of the long run; 0: none.", HelpName = "N", DefaultValueFactory = _ => 100_000 };
        Option<bool> json = new("--json") { Description = "Print JSON instead of tables." };
        Command command = new("rollouts", "Generation measured: our engine, GenAI and the bare decoding steps on the same models and prompts.") { repeats, threads, genaiThreads, only, longRun, json };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            BenchRolloutsOptions options = new()
            {
                Repeats = Math.Max(1, parsed.GetValue(repeats)), Threads = parsed.GetValue(threads), GenAiThreads = Math.Max(0, parsed.GetValue(genaiThreads)), Only = parsed.GetValue(only)!,
                LongRunResponses = parsed.GetValue(longRun),
            };
            RolloutBenchResult result = BenchRollouts.Run(options, name => Log.Info($"measuring: {name}"), cancellation);
            if (parsed.GetValue(json)) System.Console.WriteLine(JsonSerializer.Serialize(result, Indented));
            else Print(result);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static void Print(RolloutBenchResult result)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        ConsoleTable rows = new("case", "engine", "batch", "tokens/s", "× GenAI", "of bare", "CPU ms/token", "peak MB") { Title = string.Create(c, $"{result.Processor}, {result.Threads} threads, medians of {result.Repeats}") };
        foreach (RolloutBenchRow row in result.Rows)
        {
            rows.Add(row.Case, row.Engine, row.Batch.ToString(c), row.TokensPerSecond.ToString("N0", c), row.RatioToGenAI?.ToString("0.00", c) ?? "", row.ShareOfBare?.ToString("P0", c) ?? "", row.CpuMilliseconds == 0 ? "" : row.CpuMilliseconds.ToString("0.000", c), row.PeakMegabytes == 0 ? "" : row.PeakMegabytes.ToString("N0", c));
        }

        rows.Print();
        ConsoleTable numbers = new("measured", "value", "required", "met");
        foreach (RolloutBenchNumber number in result.Numbers) numbers.Add(number.Name, $"{number.Value.ToString("0.00", c)} {number.Unit}", number.Required, number.Required.Length == 0 ? "" : number.Met ? "yes" : "no");
        numbers.Print();
        if (result.LongRunMegabytes.Count > 0) System.Console.WriteLine($"resident memory after every tenth of the long run, MB: {string.Join(' ', result.LongRunMegabytes.Select(m => m.ToString("0.0", c)))}");
    }
}

using System.CommandLine;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench algorithms</c>: the results of docs/algorithms.md, made again from seeds.</summary>
public static class BenchAlgorithmsCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static readonly IAlgorithmBench[] Tasks = [new WalkBench(), new SentimentPreferences()];

    public static Command Create()
    {
        Option<int> seeds = new("--seeds") { Description = "Seeds 1 … N; mean and standard deviation are told.", HelpName = "N", DefaultValueFactory = _ => 5 };
        Option<string[]> only = new("--only") { Description = "Only these methods; repeatable.", HelpName = "METHOD", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
        Option<string[]> task = new("--task") { Description = $"Only these tasks: {string.Join(", ", Tasks.Select(t => t.Name))}.", HelpName = "TASK", DefaultValueFactory = _ => ["walks"], AllowMultipleArgumentsPerToken = true };
        Option<int> threads = new("--threads") { Description = "Threads of libtorch; the walks' model is too small for more than one. 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 1 };
        Option<bool> json = new("--json") { Description = "Print JSON, every seed's numbers, instead of tables." };
        Option<string?> write = new("--write") { Description = "Also put the tables into this Markdown file, each between its '<!-- results: TASK -->' and '<!-- end -->'.", HelpName = "FILE" };
        Command command = new("algorithms", "Every method trained on tasks whose results can be compared, over seeds.") { seeds, only, task, threads, json, write };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            AlgorithmBenchOptions options = new() { Seeds = parsed.GetValue(seeds), Only = parsed.GetValue(only)!, Threads = parsed.GetValue(threads) };
            if (options.Seeds < 1) throw new ConfigurationException($"--seeds is {options.Seeds}; it must be at least 1.");
            IAlgorithmBench[] wanted = [.. parsed.GetValue(task)!.Select(Task)];
            AlgorithmTable[] tables = [.. wanted.Select(t => t.Run(options, Log.Info, cancellation))];
            if (tables.All(t => t.Rows.Count == 0)) throw new ConfigurationException($"--only {string.Join(' ', options.Only)}: no such method.");
            if (parsed.GetValue(json)) System.Console.WriteLine(JsonSerializer.Serialize(tables.ToDictionary(t => t.Task, t => t.Numbers), Indented));
            else foreach ((IAlgorithmBench bench, AlgorithmTable table) in wanted.Zip(tables)) Print(bench, table);
            if (parsed.GetValue(write) is { } file) Write(file, tables, options);
            return System.Threading.Tasks.Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static IAlgorithmBench Task(string name) => Array.Find(Tasks, t => t.Name == name)
        ?? throw new ConfigurationException($"--task {name}: no such task. There are: {string.Join(", ", Tasks.Select(t => t.Name))}.");

    private static void Print(IAlgorithmBench bench, AlgorithmTable table)
    {
        ConsoleTable rows = new([.. table.Columns]) { Title = $"{bench.Name}: {bench.Description}" };
        foreach (IReadOnlyList<string> row in table.Rows) rows.Add([.. row]);
        rows.Print();
    }

    private static void Write(string file, AlgorithmTable[] tables, AlgorithmBenchOptions options)
    {
        string document = File.ReadAllText(file);
        foreach (AlgorithmTable table in tables)
        {
            string command = $"rlhf bench algorithms --task {table.Task} --seeds {options.Seeds}";
            document = table.PutInto(document, file, $"Written by `{command} --write {Path.GetFileName(file)}`; mean ± standard deviation over the seeds. Seconds hang on the machine.");
        }

        WholeFile.WriteAllText(file, document);
    }
}

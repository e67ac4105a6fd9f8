using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>One number of the soak and what is asked of it.</summary>
public sealed record SoakNumber(string Name, string Value, string Required, bool Met);

/// <summary>
/// Many iterations of a tiny model: memory must be flat after the tenth, and an iteration must not take longer and longer. And a few of the shipped demo, whose
/// checkpoints must cost little: those of a model that is trained in milliseconds cost more than its training.
/// </summary>
public static class BenchSoak
{
    private const int WarmUp = 10, Fewest = 8 * WarmUp;
    private const int DemoIterations = 5;
    private const double MostGrowthOfMemory = 0.05, MostGrowthOfLastQuarter = 0.01, MostGrowthOfTime = 0.1, MostForCheckpoints = 0.03;

    /// <exception cref="BadDataException">The run failed.</exception>
    public static IReadOnlyList<SoakNumber> Run(string folder, int iterations)
    {
        if (iterations < Fewest) throw new ConfigurationException($"--iterations {iterations.ToString(CultureInfo.InvariantCulture)}: a soak needs at least {Fewest} iterations to tell anything.");
        string run = Path.Combine(folder, "run");
        TinyModel.Write(Path.Combine(folder, "model"));
        File.WriteAllLines(Path.Combine(folder, "prompts.jsonl"), TinyModel.Prompts.Select(p => System.Text.Json.JsonSerializer.Serialize(new { prompt = p })));
        string config = Path.Combine(folder, "run.yaml");
        File.WriteAllText(config, $$"""
            seed: 1
            output: run
            policy: model
            iterations: {{iterations.ToString(CultureInfo.InvariantCulture)}}
            generation: { prompts: prompts.jsonl, prompts_per_iteration: 16, max_new_tokens: 12 }
            scoring:
              rewards:
                - { name: length, rule: "length:unit=tokens,target=6,width=12" }
            method: { epochs: 2, minibatch_size: 8 }
            optimizer: { learning_rate: 1.0e-4 }

            """);
        using (RunProcess process = RunProcess.Start("run", config)) BenchKills.Expect(process.Wait(TimeSpan.FromMinutes(30)), 0, "the soak");
        string demo = Path.Combine(folder, "demo");
        string[] command = ["run", Path.Combine(Repository.Root(), "configs", "demo.yaml"), "--set", $"output={demo}", "--set", $"iterations={DemoIterations}", "--set", "evaluation.prompts=\"\""];
        using (RunProcess process = RunProcess.Start(command)) BenchKills.Expect(process.Wait(TimeSpan.FromMinutes(30)), 0, "the demo");
        return [.. Judge(MetricsFile.Read(Path.Combine(run, "metrics.jsonl"))), .. JudgeCheckpoints(MetricsFile.Read(Path.Combine(demo, "metrics.jsonl")))];
    }

    /// <summary>
    /// What checkpoints cost: the time that iterations waited for the one before and copied their own. Two bounds from above are told beside it: with all the processor time of
    /// writing, as if the work beside it lacked every bit of that on all its threads, and with all the time that the writer was at work. The first iteration has none to write.
    /// </summary>
    public static IReadOnlyList<SoakNumber> JudgeCheckpoints(IReadOnlyList<MetricRow> rows)
    {
        if (rows.Count < 2) throw new ConfigurationException("A share of checkpoints needs at least two iterations: the first has none to write.");
        double Sum(string name) => rows.Skip(1).Sum(r => r.Values[name]);
        double all = Sum("time/iteration_seconds"), waited = Sum("time/checkpoint_seconds");
        static string Percent(double part) => part.ToString("0.00 %", CultureInfo.InvariantCulture);
        return
        [
            new($"checkpoints of the demo: waiting and copying, in {rows.Count - 1} iterations", Percent(waited / all), $"at most {MostForCheckpoints:0 %}", waited / all <= MostForCheckpoints),
            new("… at most: and all processor time of writing beside the next iteration", Percent((waited + Sum("time/checkpoint_processor_seconds")) / all), "", true),
            new("… at most: and all the time that the writer was at work, the disk's included", Percent((waited + Sum("time/checkpoint_write_seconds")) / all), "", true),
        ];
    }

    /// <summary>Medians of ten iterations after the warm-up and of the last ten: single iterations jump with the garbage collector and the machine.</summary>
    public static IReadOnlyList<SoakNumber> Judge(IReadOnlyList<MetricRow> rows)
    {
        if (rows.Count < Fewest) throw new ConfigurationException($"A soak needs at least {Fewest} iterations to tell anything; there are {rows.Count}.");
        double Median(string name, int from) => Middle([.. rows.Skip(from).Take(WarmUp).Select(r => r.Values[name])]);
        int last = rows.Count - WarmUp;
        double quarter = Median("time/memory_bytes", rows.Count * 3 / 4);
        double memory = Median("time/memory_bytes", WarmUp), memoryEnd = Median("time/memory_bytes", last), seconds = Median("time/iteration_seconds", WarmUp), secondsEnd = Median("time/iteration_seconds", last);
        string Share(double a, double b) => ((b / a) - 1).ToString("+0.0 %;−0.0 %;0.0 %", CultureInfo.InvariantCulture);
        string Mb(double bytes) => (bytes / 1048576).ToString("0.0", CultureInfo.InvariantCulture);
        string Ms(double s) => (1000 * s).ToString("0.0", CultureInfo.InvariantCulture);
        return
        [
            new("iterations", rows.Count.ToString(CultureInfo.InvariantCulture), "", true),
            new($"resident memory after iteration {WarmUp}, at the end (medians of {WarmUp}, MiB)", $"{Mb(memory)}, {Mb(memoryEnd)}", "", true),
            new("growth of memory since then", Share(memory, memoryEnd), $"at most {MostGrowthOfMemory:0 %}", memoryEnd <= memory * (1 + MostGrowthOfMemory)),
            // The JIT recompiles hot methods for a while; a leak would go on.
            new("growth of memory over the last quarter", Share(quarter, memoryEnd), $"at most {MostGrowthOfLastQuarter:0 %}", memoryEnd <= quarter * (1 + MostGrowthOfLastQuarter)),
            new($"time of an iteration after iteration {WarmUp}, at the end (medians of {WarmUp}, ms)", $"{Ms(seconds)}, {Ms(secondsEnd)}", "", true),
            new("growth of time", Share(seconds, secondsEnd), $"at most {MostGrowthOfTime:0 %}", secondsEnd <= seconds * (1 + MostGrowthOfTime)),
            new("checkpoint's share of an iteration of the tiny model: waiting and copying (median)", Middle([.. rows.Skip(WarmUp).Select(r => r.Values["time/checkpoint_share"])]).ToString("0.0 %", CultureInfo.InvariantCulture), "", true),
        ];
    }

    private static double Middle(double[] values)
    {
        Array.Sort(values);
        return values.Length % 2 == 1 ? values[values.Length / 2] : (values[(values.Length / 2) - 1] + values[values.Length / 2]) / 2;
    }
}

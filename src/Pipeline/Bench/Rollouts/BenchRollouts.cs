using Rlhf.Export;
using Rlhf.Generation;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>What <c>rlhf bench rollouts</c> measures with.</summary>
public sealed record BenchRolloutsOptions
{
    /// <summary>Repetitions; medians are told.</summary>
    public int Repeats { get; init; } = 5;

    /// <summary>0: all cores.</summary>
    public int Threads { get; init; }

    /// <summary>Threads of GenAI; 0: as it chooses.</summary>
    public int GenAiThreads { get; init; }

    /// <summary>Cases whose name contains this; empty: all.</summary>
    public string Only { get; init; } = "";

    /// <summary>Responses of the long run.</summary>
    public int LongRunResponses { get; init; } = 100_000;
}

/// <summary>
/// Generation measured: our engine, GenAI and the bare decoding steps, side by side in one process on the same prompts. The engines take
/// turns within each repetition, so that a busy moment of the machine meets them all. A case is a file beside this one.
/// </summary>
public static class BenchRollouts
{
    /// <summary>Runs all cases (or those chosen) and returns what was measured.</summary>
    public static RolloutBenchResult Run(BenchRolloutsOptions options, Action<string>? told = null, CancellationToken cancellation = default)
    {
        string root = Directory.CreateTempSubdirectory("rlhf-bench-").FullName;
        try
        {
            // Prompts are ids here; an exported folder only has to hold a tokenizer.
            File.WriteAllText(Path.Combine(root, "tokenizer.json"), "{}");
            RolloutBench bench = new(options, root, told ?? (_ => { }), cancellation);
            All(bench);
            int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
            return new RolloutBenchResult(threads, options.Repeats, Machine.Processor, bench.Rows, bench.Numbers, bench.LongRunMegabytes);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static void All(RolloutBench bench)
    {
        bool Wanted(string name) => name.Contains(bench.Options.Only, StringComparison.Ordinal) || bench.Options.Only.Contains(name, StringComparison.Ordinal);
        if (Wanted("24M"))
        {
            PolicyFolder large = Model(bench, "24M", RolloutBenchModels.Large, required: 20);
            SharedPrefill.Run(bench, "24M prefill shared by 8", large);
            HandOver.Run(bench, "24M hand-over", large);
        }

        if (Wanted("4M")) LongRun.Run(bench, "4M long run", Model(bench, "4M", RolloutBenchModels.Small, required: 5));
        if (Wanted("mixed")) MixedLengths.Run(bench, "mixed lengths", batch: 32);
    }

    /// <summary>What is measured of every model: against GenAI, and against the bare loop.</summary>
    private static PolicyFolder Model(RolloutBench bench, string name, ModelShape shape, double required)
    {
        PolicyFolder folder = RolloutBenchModels.Export(shape, bench.Root, name, bench.Root);
        using OrtEngine engine = new(folder, null, bench.Engine);
        using GenAiBaseline genai = new(folder, bench.Options.GenAiThreads);
        AgainstGenAi.Run(bench, $"{name} sample", folder, engine, genai, batch: 32, greedy: false, required);
        AgainstGenAi.Run(bench, $"{name} greedy", folder, engine, genai, batch: 16, greedy: true, required: 1.5);
        AgainstBareSteps.Run(bench, $"{name} share", folder, engine, batch: 16);
        AgainstBareSteps.Run(bench, $"{name} share", folder, engine, batch: 64);
        return folder;
    }
}

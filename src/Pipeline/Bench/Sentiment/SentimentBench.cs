using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Runs the configurations of configs/methods one after the other, each with the same budget of sampled tokens.</summary>
/// <param name="Folder">Where run directories and results go; a run that has its result is not made again.</param>
/// <param name="Only">Configurations by name; empty: all.</param>
/// <param name="Seeds">Seeds 1 … n.</param>
/// <param name="Set">Further key=value for every run.</param>
public sealed record SentimentBench(string Folder, IReadOnlyList<string> Only, int Seeds, IReadOnlyList<string> Set)
{
    private const string Base = "base";

    private static string Configs => Path.Combine(Repository.Root(), "configs", "methods");

    /// <summary>Names of the configurations, in order.</summary>
    public static IReadOnlyList<string> Names =>
        [.. Directory.GetFiles(Configs, "*.yaml").Select(f => Path.GetFileNameWithoutExtension(f)).Where(n => n != Base).Order(StringComparer.Ordinal)];

    /// <summary>Those that are run.</summary>
    public IReadOnlyList<string> Configurations => Only.Count > 0 ? Only : Names;

    /// <summary>Reads the configuration of every run.</summary>
    /// <exception cref="ConfigurationException">A name is not one of <see cref="Names"/>, or a run cannot be as configured.</exception>
    public void Check()
    {
        string[] unknown = [.. Only.Except(Names)];
        if (unknown.Length > 0) throw new ConfigurationException($"--only {string.Join(' ', unknown)}: no such configuration. There are: {string.Join(", ", Names)}.");
        foreach (string name in Configurations) RunCheck.Configuration(Load(name, 1, Folder), null);
    }

    private RunConfig Load(string name, int seed, string output) =>
        ConfigBinder.Load<RunConfig>(Path.Combine(Configs, name + ".yaml"), [$"seed={seed}", "keep_checkpoints=1", .. Set, $"output={output}"]);

    /// <param name="told">What is being done.</param>
    /// <param name="cancellation">Honoured inside runs; the same command then goes on.</param>
    /// <exception cref="ConfigurationException">A name is not one of <see cref="Names"/>.</exception>
    public IReadOnlyList<SentimentResult> Run(Action<string> told, CancellationToken cancellation)
    {
        Check();
        var results = new List<SentimentResult>();
        foreach (string name in Configurations)
        {
            for (int seed = 1; seed <= Seeds; seed++)
            {
                told($"{name}, seed {seed}");
                results.Add(One(name, seed, cancellation));
            }
        }

        return results;
    }

    private SentimentResult One(string name, int seed, CancellationToken cancellation)
    {
        string output = Path.Combine(Path.GetFullPath(Folder), $"{name}-{seed}"), saved = Path.Combine(output, "result.json");
        if (File.Exists(saved)) return SentimentResult.Load(saved);
        if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
        RunConfig run = Load(name, seed, output);
        SentimentResult result;
        try
        {
            RunOutcome outcome = RunCommand.Begin(run, cancellation);
            result = SentimentResult.Of(name, run, outcome, Path.Combine(output, "metrics.jsonl"));
        }
        catch (NumericalException e)
        {
            result = new SentimentResult { Config = name, Seed = run.Seed, Diverged = e.Message };
        }

        // Report, metrics and configuration stay; weights and samples of two dozen runs would fill a disk.
        foreach (string folder in (string[])["iterations", "checkpoints", "policy", "weights", "rewards"])
        {
            if (Directory.Exists(Path.Combine(output, folder))) Directory.Delete(Path.Combine(output, folder), recursive: true);
        }

        result.Save(saved);
        return result;
    }
}

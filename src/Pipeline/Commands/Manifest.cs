using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What a run is made with: versions of everything that computes, hashes of everything that goes in.</summary>
public static class Manifest
{
    public static RunManifest Of(RunConfig config, IReadOnlyList<OutsideReward>? outside = null) => new()
    {
        Seed = config.Seed,
        Threads = config.Threads > 0 ? config.Threads : Environment.ProcessorCount,
        Versions = Versions(),
        Inputs = Inputs(config, outside),
        OutsideRewards = [.. (outside ?? []).Select(o => o.Argument)],
        Command = Environment.GetCommandLineArgs()[1..],
    };

    /// <summary>
    /// Name → SHA-256 of all that a run reads: model folders, prompts, pretraining text, files of rules, assemblies of rewards, labels. What is not there is left out. Where two
    /// have one name, the later one's is that with its section, or with its whole path.
    /// </summary>
    /// <exception cref="RlhfException">A rule cannot be parsed, or its file cannot be read.</exception>
    public static IReadOnlyDictionary<string, string> Inputs(RunConfig config, IReadOnlyList<OutsideReward>? outside = null)
    {
        var inputs = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        void Folder(string name, string path, string otherwise)
        {
            if (path.Length > 0 && Directory.Exists(path)) inputs[inputs.ContainsKey(name) ? otherwise : name] = Sha256.OfFolder(path);
        }

        void Add(string name, string section, string path)
        {
            if (!File.Exists(path) || !seen.Add(path)) return;
            string free = !inputs.ContainsKey(name) ? name : !inputs.ContainsKey($"{section}/{name}") ? $"{section}/{name}" : $"{section}/{path}";
            inputs[free] = Sha256.OfFile(path);
        }

        Folder("policy", config.Policy, "");
        Folder("reference", config.Reference, "");
        foreach (RewardSourceConfig reward in config.Scoring.Rewards) Folder($"reward/{reward.Name}", reward.Model, $"reward/{reward.ColumnName}");
        foreach ((string section, string pattern) in (IEnumerable<(string, string)>)[("generation", config.Generation.Prompts), ("evaluation", config.Evaluation.Prompts), .. PretrainingText(config)])
        {
            foreach (string file in InputFiles(pattern)) Add(Path.GetFileName(file), section, file);
        }

        foreach (string rule in config.Scoring.Rewards.Select(r => r.Rule).Where(r => r.Length > 0))
        {
            foreach (string file in RuleCatalogue.Parse(rule).Files) Add($"rule/{Path.GetFileName(file)}", "scoring", file);
        }

        foreach (OutsideReward reward in outside ?? []) Add($"reward/{reward.Name}", "outside", reward.File);
        foreach ((string name, string path) in RewardTrainingCheck.Inputs(config)) Add(name, "labels", path);
        return inputs;
    }

    private static IEnumerable<(string, string)> PretrainingText(RunConfig config) => config.Method.PtxCoefficient > 0 ? config.Method.PtxData.Select(d => ("pretraining", d)) : [];

    /// <summary>The files of a path or pattern; none where there are none.</summary>
    internal static IReadOnlyList<string> InputFiles(string pattern)
    {
        if (pattern.Length == 0 || File.Exists(pattern)) return pattern.Length == 0 ? [] : [pattern];
        try
        {
            return DataFiles.Of([pattern]);
        }
        catch (BadDataException)
        {
            return []; // told by those who read them
        }
    }

    public static IReadOnlyDictionary<string, string> Versions() => new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["rlhf"] = typeof(Manifest).Assembly.GetName().Version?.ToString(3) ?? "",
        [".NET"] = RuntimeInformation.FrameworkDescription,
        ["ONNX Runtime"] = OrtEnv.Instance().GetVersionString(),
        ["ONNX Runtime GenAI"] = typeof(Microsoft.ML.OnnxRuntimeGenAI.Model).Assembly.GetName().Version?.ToString(3) ?? "",
        ["libtorch"] = TorchSharp.torch.__version__,
        ["DuckDB"] = DuckDbInfo.Version,
    };
}

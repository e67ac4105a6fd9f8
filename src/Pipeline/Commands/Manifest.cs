using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Scoring;

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

    /// <summary>Name → SHA-256 of every model folder, prompt file and reward assembly that a run reads; what is not there is left out.</summary>
    public static IReadOnlyDictionary<string, string> Inputs(RunConfig config, IReadOnlyList<OutsideReward>? outside = null)
    {
        var inputs = new SortedDictionary<string, string>(StringComparer.Ordinal);
        void Folder(string name, string path)
        {
            if (path.Length > 0 && Directory.Exists(path)) inputs[name] = Sha256.OfFolder(path);
        }

        Folder("policy", config.Policy);
        Folder("reference", config.Reference);
        foreach (RewardSourceConfig reward in config.Scoring.Rewards) Folder($"reward/{reward.Name}", reward.Model);
        foreach (string prompts in (string[])[config.Generation.Prompts, config.Evaluation.Prompts])
        {
            if (File.Exists(prompts)) inputs[Path.GetFileName(prompts)] = Sha256.OfFile(prompts);
        }

        foreach (OutsideReward reward in outside ?? [])
        {
            if (File.Exists(reward.File)) inputs[$"reward/{reward.Name}"] = Sha256.OfFile(reward.File);
        }

        foreach ((string name, string path) in RewardTrainingCheck.Inputs(config)) inputs[name] = Sha256.OfFile(path);

        return inputs;
    }

    public static IReadOnlyDictionary<string, string> Versions() => new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["rlhf"] = typeof(Manifest).Assembly.GetName().Version?.ToString(3) ?? "",
        [".NET"] = RuntimeInformation.FrameworkDescription,
        ["ONNX Runtime"] = OrtEnv.Instance().GetVersionString(),
        ["ONNX Runtime GenAI"] = typeof(Microsoft.ML.OnnxRuntimeGenAI.Model).Assembly.GetName().Version?.ToString(3) ?? "",
        ["libtorch"] = TorchSharp.torch.__version__,
        ["DuckDB"] = Trajectories.DuckDbInfo.Version,
    };
}

using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>What a run is made with: versions of everything that computes, hashes of everything that goes in.</summary>
public static class Manifest
{
    public static RunManifest Of(RunConfig config)
    {
        var inputs = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["policy"] = Sha256.OfFolder(config.Policy) };
        if (config.Reference.Length > 0) inputs["reference"] = Sha256.OfFolder(config.Reference);
        foreach (RewardSourceConfig reward in config.Scoring.Rewards.Where(r => r.Model.Length > 0)) inputs[$"reward/{reward.Name}"] = Sha256.OfFolder(reward.Model);
        foreach (string prompts in (string[])[config.Generation.Prompts, config.Evaluation.Prompts])
        {
            if (File.Exists(prompts)) inputs[Path.GetFileName(prompts)] = Sha256.OfFile(prompts);
        }

        return new RunManifest
        {
            Seed = config.Seed,
            Threads = config.Threads > 0 ? config.Threads : Environment.ProcessorCount,
            Versions = Versions(),
            Inputs = inputs,
            Command = Environment.GetCommandLineArgs()[1..],
        };
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

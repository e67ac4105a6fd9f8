using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>The ONNX folders that a run starts with: policy and reference, and reward models; Hugging Face folders are exported into the run directory.</summary>
public sealed record RunModels(string Policy, string Reference, IReadOnlyList<RewardSourceConfig> Rewards)
{
    public static RunModels Prepare(RunConfig config, RunDirectory run)
    {
        string policy = run.Iteration(0).Policy;
        ExportOnce(config.Policy, policy);
        string reference = policy;
        if (config.Reference.Length > 0)
        {
            reference = IsOnnx(config.Reference) ? config.Reference : Path.Combine(run.Root, "reference");
            if (!IsOnnx(config.Reference)) ExportOnce(config.Reference, reference);
        }

        var rewards = new List<RewardSourceConfig>();
        foreach (RewardSourceConfig reward in config.Scoring.Rewards)
        {
            if (reward.Model.Length == 0 || IsOnnx(reward.Model))
            {
                rewards.Add(reward);
                continue;
            }

            string name = reward.Name.Length > 0 ? reward.Name : Path.GetFileName(Path.TrimEndingDirectorySeparator(reward.Model));
            string folder = Path.Combine(run.Root, "rewards", name);
            ExportOnce(reward.Model, folder);
            rewards.Add(reward with { Name = name, Model = folder });
        }

        return new RunModels(policy, reference, rewards);
    }

    private static bool IsOnnx(string folder) => File.Exists(Path.Combine(folder, "model.onnx"));

    private static void ExportOnce(string from, string to)
    {
        if (IsOnnx(to)) return;
        if (!Directory.Exists(from)) throw new BadModelException($"{from}: there is no such model folder.");
        ModelExport.Folder(from, to);
    }
}

using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>The ONNX folders that a run starts with: policy and reference, and reward models; Hugging Face folders are exported into the run directory.</summary>
public sealed record RunModels(string Policy, string Reference, IReadOnlyList<RewardSourceConfig> Rewards)
{
    /// <summary>Exports what is not there (or damaged) yet.</summary>
    /// <exception cref="BadModelException">A model folder is missing or cannot be used.</exception>
    public static RunModels Prepare(RunConfig config, RunDirectory run)
    {
        ExportOnce(config.Policy, run.Iteration(0).Policy);
        if (config.Reference.Length > 0 && !IsOnnx(config.Reference)) ExportOnce(config.Reference, ReferenceFolder(run));
        RunModels models = Of(config, run);
        foreach ((RewardSourceConfig from, RewardSourceConfig to) in config.Scoring.Rewards.Zip(models.Rewards))
        {
            if (from.Model != to.Model) ExportOnce(from.Model, to.Model);
        }

        return models;
    }

    /// <summary>Where they are, without making anything.</summary>
    public static RunModels Of(RunConfig config, RunDirectory run)
    {
        string policy = run.Iteration(0).Policy;
        string reference = config.Reference.Length == 0 ? policy : IsOnnx(config.Reference) ? config.Reference : ReferenceFolder(run);
        return new RunModels(policy, reference, [.. config.Scoring.Rewards.Select(r => Reward(r, run))]);
    }

    private static RewardSourceConfig Reward(RewardSourceConfig reward, RunDirectory run)
    {
        if (reward.Model.Length == 0 || IsOnnx(reward.Model)) return reward;
        string name = reward.Name.Length > 0 ? reward.Name : Path.GetFileName(Path.TrimEndingDirectorySeparator(reward.Model));
        return reward with { Name = name, Model = Path.Combine(run.Root, "rewards", name) };
    }

    private static string ReferenceFolder(RunDirectory run) => Path.Combine(run.Root, "reference");

    private static bool IsOnnx(string folder) => File.Exists(Path.Combine(folder, "model.onnx"));

    private static void ExportOnce(string from, string to)
    {
        IReadOnlyList<string> problems = FolderSeal.Problems(to);
        if (problems.Count == 0) return;
        if (FolderSeal.Exists(to)) Log.Warning($"{to} is damaged ({problems[0].TrimEnd('.')}); it is exported again from {from}.");
        if (!Directory.Exists(from)) throw new BadModelException($"{from}: there is no such model folder.");
        ModelExport.Folder(from, to);
        FolderSeal.Write(to);
    }
}

using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>What is wrong with section <c>reward_training</c> and can be told before the run directory exists, and what of its files goes into the manifest.</summary>
internal static class RewardTrainingCheck
{
    public static IEnumerable<string> Problems(RunConfig config)
    {
        RewardTrainingConfig section = config.RewardTraining;
        if (section.Reward.Length == 0) yield break;
        string model = Trained(config).Model;
        if (Directory.Exists(model) && !(File.Exists(Path.Combine(model, "config.json")) && Directory.EnumerateFiles(model, "*.safetensors").Any()))
            yield return $"reward_training.reward: {model} has no config.json with safetensors beside it; only a Hugging Face folder can go on learning, an ONNX folder cannot.";
        if (!File.Exists(section.Config))
        {
            yield return $"reward_training.config: there is no file {section.Config}.";
            yield break;
        }

        string? problem = null;
        try
        {
            RewardContinuation.Check(ConfigBinder.Load<RewardModelConfig>(section.Config));
        }
        catch (ConfigurationException e)
        {
            problem = $"reward_training.config, {section.Config}: {e.Message}";
        }

        if (problem is not null) yield return problem;
    }

    /// <summary>The entry of scoring.rewards that is trained.</summary>
    public static RewardSourceConfig Trained(RunConfig config) => config.Scoring.Rewards.First(r => r.ColumnName == config.RewardTraining.Reward);

    /// <summary>The training configuration and its labelled data: a run whose labels changed would not go on as it began.</summary>
    public static IEnumerable<(string Name, string Path)> Inputs(RunConfig config)
    {
        string file = config.RewardTraining.Config;
        if (config.RewardTraining.Reward.Length == 0 || !File.Exists(file)) yield break;
        foreach (string part in ConfigBinder.FilesOf(file)) yield return (part == file ? "reward_training/config" : $"reward_training/{Path.GetFileName(part)}", part);
        RewardModelConfig training = ConfigBinder.Load<RewardModelConfig>(file);
        foreach (string data in training.Data.Concat(training.HeldOutData).SelectMany(Manifest.InputFiles)) yield return ($"reward_training/{Path.GetFileName(data)}", data);
    }
}
